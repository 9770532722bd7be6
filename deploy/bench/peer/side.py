"""The peer, as a measure sees it: filled, started, told of its steps, and looked at."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker
from dramatiq.common import dq_name

from deploy.bench.children import BrokenChild, children, wait_until
from deploy.bench.cpu import Meter, of_servers
from deploy.bench.delivering import WARM_UP, Delivered, check_ledger, recipients
from deploy.bench.drain import rate
from deploy.bench.ground import Ground
from deploy.bench.peer.actor import ACTOR
from deploy.bench.peer.place import Place
from deploy.bench.peer.tables import ANALYZE, FILL, SENT, TABLES
from deploy.bench.stock_dramatiq import NAMESPACE, PROCESSES, QUEUE
from deploy.cli.session import required
from deploy.sandbox.options import SandboxOptions
from deploy.sandbox.process import start_sandbox
from deploy.sandbox.state import Sandbox

Channel: TypeAlias = Literal["sms", "email"]

#: Threads of each process: the best of 2, 4, 8, 16 and 32 for each channel. With more the interpreter's lock costs
#: what they gain: what they wait for is on this machine.
THREADS: Final[dict[Channel, int]] = {"sms": 16, "email": 8}

#: Real seconds from the first message to the moment at which all fall due: they are told to Redis by then.
HEAD_START: Final = 3.0


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer that runs."""

    ground: Ground
    channel: Channel
    broker: RedisBroker
    pids: list[int]

    def fill(self, contacts: Sequence[int]) -> list[int]:
        """Write the rows of these contacts, and return them."""
        with self.ground.database.transaction() as session:
            rows = session.execute(FILL, {"contacts": list(contacts), "channel": self.channel}).fetchall()
        with self.ground.database.connect() as session:
            session.execute(ANALYZE)
        return [row[0] for row in rows]

    def schedule(self, rows: Sequence[int], moment: float) -> None:
        """Enqueue a message for each row, by dramatiq's own delay, due at a moment of real time."""
        for row in rows:
            delay = max(0, round(1_000 * (moment - time.time())))
            self.broker.enqueue(message_for(row), delay=delay)

    def schedule_far(self, count: int, moment: float) -> None:
        """Enqueue messages for rows that don't exist, many at a time: what is written is what `schedule` writes."""
        name = dq_name(QUEUE)
        for first in range(0, count, 1_000):
            with self.ground.redis.pipeline(transaction=False) as pipe:
                for number in range(first, min(first + 1_000, count)):
                    message = message_for(-1 - number)
                    key = message.message_id
                    options = {"redis_message_id": key, "eta": round(1_000 * moment)}
                    encoded = message.copy(queue_name=name, options=options).encode()
                    pipe.hset(f"{NAMESPACE}:{name}.msgs", key, encoded)
                    pipe.rpush(f"{NAMESPACE}:{name}", key)
                pipe.execute()

    def wait_until_ended(self) -> None:
        """Wait until every message is acknowledged. Redis is asked, so that nothing is added to Postgres's CPU."""
        names = [f"{NAMESPACE}:{name}.msgs" for name in (QUEUE, dq_name(QUEUE))]
        wait_until("the peer has sent all", lambda: not any(self.ground.redis.hlen(name) for name in names))

    def sent(self, rows: Sequence[int]) -> list[float]:
        """Return when each row that was sent was, in their order."""
        with self.ground.database.transaction() as session:
            return [row[0] for row in session.execute(SENT, (list(rows),))]


def message_for(row: int) -> "Message[None]":
    """Return the message that has a row sent."""
    return Message(queue_name=QUEUE, actor_name=ACTOR, args=(row,), kwargs={}, options={})


@contextmanager
def peer_on(ground: Ground, sandbox: Sandbox, channel: Channel, threads: int | None = None) -> Iterator[Peer]:
    """Run the peer's processes on empty tables and an empty Redis, and let them start first."""
    ground.redis.flushall()
    with ground.database.connect() as session:
        session.execute(TABLES)
    place = Place(
        database_url=required(ground.settings.database_url),
        redis_url=required(ground.settings.redis_url),
        twilio_url=sandbox.http_url,
        account_sid=sandbox.account_sid,
        auth_token=sandbox.auth_token,
        smtp_host=sandbox.smtp_host,
        smtp_port=sandbox.smtp_port,
        threads=threads or THREADS[channel],
    )
    broker = RedisBroker(url=place.redis_url)  # type: ignore[no-untyped-call]
    broker.declare_queue(QUEUE)
    command = ["deploy.bench.peer.actor", str(ground.folder / "peer.log")]
    try:
        with children([command], place.environment()) as started:
            wait_until("the start of the peer", lambda: _listening(ground) == PROCESSES, pause=0.02)
            yield Peer(ground, channel, broker, [child.pid for child in started])
    finally:
        broker.close()
        broker.client.close()


def deliver_as_peer(
    ground: Ground, channel: Channel, count: int, threads: int | None = None, warm_up: int = WARM_UP
) -> Delivered:
    """Send so many messages that fall due at one moment, and check in the sandbox's ledger that each went out.

    Raises:
        BrokenChild: not every contact got its message, or the database says otherwise.
    """
    with start_sandbox(SandboxOptions(data_dir=ground.folder / "sandbox", fresh_ledger=True)) as process:
        ground.empty()
        contacts = ground.contacts(warm_up + count)
        with peer_on(ground, process.sandbox, channel, threads) as peer:
            warm = peer.fill(contacts[:warm_up])
            peer.schedule(warm, time.time())
            peer.wait_until_ended()
            rows = peer.fill(contacts[warm_up:])
            meter = Meter(workers=peer.pids, sandbox=[process.sandbox.pid], **of_servers(ground))
            peer.schedule(rows, time.time() + HEAD_START)
            peer.wait_until_ended()
            cpu = meter.milliseconds(count)
            ends = peer.sent(rows)
        if len(ends) != count:
            raise BrokenChild(f"the peer sent {len(ends)} of {count}")
        if more := check_ledger(process.sandbox, recipients(ground, contacts)):
            raise BrokenChild(f"the peer sent {more} messages twice")
    return Delivered(rate([(end, number) for number, end in enumerate(ends, start=1)], count), cpu)


def _listening(ground: Ground) -> int:
    """How many of dramatiq's worker processes have asked for messages."""
    return int(ground.redis.zcard(f"{NAMESPACE}:__heartbeats__"))
