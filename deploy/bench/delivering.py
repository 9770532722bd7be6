"""Messages over real sockets to the sandbox, by our workers: how many a second, and what CPU each one takes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from deploy.bench.children import BrokenChild
from deploy.bench.cpu import Meter, of_servers
from deploy.bench.drain import settled_a_second, wait_until_settled
from deploy.bench.ground import Enrolled, Ground
from deploy.bench.workers import worker_processes
from deploy.sandbox.ledger import read_ledger
from deploy.sandbox.options import SandboxOptions
from deploy.sandbox.process import start_sandbox
from deploy.sandbox.settings import with_sandbox
from deploy.sandbox.state import Sandbox

#: Connections to the provider, over both processes: as many as may be in flight by default.
CONNECTIONS: Final = 128

#: Messages that go out before the count begins: connections are open then, and templates parsed.
WARM_UP: Final = 256

ADDRESSES: Final = "SELECT phone, email FROM contacts WHERE id = ANY(%s)"


@dataclass(frozen=True, slots=True)
class Delivered:
    """What came of one delivery."""

    per_second: float
    cpu: dict[str, float]
    """Milliseconds a message, by who used them: workers, postgres, redis, sandbox."""

    def figures(self) -> dict[str, float]:
        """Return all of it by name."""
        return {"per_second": self.per_second, **self.cpu}


def deliver(ground: Ground, sequence: str, count: int, warm_up: int = WARM_UP) -> Delivered:
    """Send so many messages that are due at once, and check in the sandbox's ledger that each went out.

    Raises:
        BrokenChild: not every contact got its message.
    """
    with start_sandbox(SandboxOptions(data_dir=ground.folder / "sandbox", fresh_ledger=True)) as process:
        sandbox = process.sandbox
        ground.empty()
        contacts = ground.contacts(warm_up + count)
        stretch = ground.sequence(sequence)
        settings = with_sandbox(ground.settings, sandbox)
        with worker_processes(ground, in_flight=CONNECTIONS, settings=settings) as workers:
            _send(ground, ground.enroll(stretch, contacts[:warm_up]))
            enrolled = ground.enroll(stretch, contacts[warm_up:])
            ground.settle_statistics()
            meter = Meter(workers=workers, sandbox=[sandbox.pid], **of_servers(ground))
            _send(ground, enrolled)
            cpu = meter.milliseconds(count)
        ground.claimed_twice.append(check_ledger(sandbox, recipients(ground, contacts)))
    return Delivered(settled_a_second(ground, enrolled.first_rows()), cpu)


def recipients(ground: Ground, contacts: Sequence[int]) -> list[tuple[str, str]]:
    """Return the phone and the email of each contact."""
    with ground.database.transaction() as session:
        return [(phone, email) for phone, email in session.execute(ADDRESSES, (list(contacts),))]


def check_ledger(sandbox: Sandbox, expected: Sequence[tuple[str, str]]) -> int:
    """Return how many messages the provider took more than once: each contact is sent one, by phone or by email.

    Raises:
        BrokenChild: somebody got none, or somebody else got one.
    """
    accepted = Counter(entry.to for entry in read_ledger(sandbox.ledger))
    strangers = accepted.keys() - {address for both in expected for address in both}
    without = [both for both in expected if not (accepted[both[0]] or accepted[both[1]])]
    if strangers or without:
        raise BrokenChild(f"of {len(expected)} messages {len(without)} did not arrive, {len(strangers)} others did")
    return accepted.total() - len(expected)


def _send(ground: Ground, enrolled: Enrolled) -> None:
    ground.wakeups.schedule(enrolled.first)
    wait_until_settled(ground)
