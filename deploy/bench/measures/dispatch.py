"""Dispatch: from due to settled, with a provider in process that answers at once or after a while."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from statistics import median
from typing import Final

from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker

from deploy.bench.children import children, wait_until
from deploy.bench.ground import Ground
from deploy.bench.measure import REPEATS, Asked, Result, percentile
from deploy.bench.noop import REDIS_URL
from deploy.bench.workers import PROCESSES, worker_processes
from deploy.cli.session import required
from engine.outbox.plan import Stretch
from engine.settings import Settings

TWO_STEPS: Final = """
sequence: two
name: Two
steps:
  - key: first
    type: sms
    body: "Hi {{ contact.first_name | default: 'there' }}, thanks for your interest in our {{ custom.plan }} plan."
  - {key: second, type: sms, delay: 14 days, body: "Hi again, {{ contact.first_name }}"}
"""

#: A provider that takes this long, and so many messages in flight at once, over all processes.
SLOW_SECONDS: Final = 0.05
IN_FLIGHT: Final = 512

#: Rows a second, and for how many real seconds.
RATE, SECONDS = 3_000, 5

#: From a second from now on: so many rows a second, or all at once.
SPREAD: Final = """
UPDATE outbox o SET
    due_at = clock_timestamp() + (1 + coalesce((wave.number - 1) / %(rate)s::float8, 0)) * interval '1 second'
FROM unnest(%(rows)s::bigint[]) WITH ORDINALITY AS wave (id, number)
WHERE o.id = wave.id RETURNING o.id, extract(epoch FROM o.due_at)::float8
"""

FAR_ROWS: Final = 200_000
BURST: Final = 1_000

#: A rate is taken between these shares of the work: not at its start, and not at its tail.
FROM_SHARE, TO_SHARE = 0.05, 0.95


def settled_vs_noop(ground: Ground) -> Result:
    """Rows claimed, rendered, handed over and settled, against dramatiq's own actor that does nothing."""
    count = ground.count(60_000)
    with worker_processes(ground, _settings(ground), provider_seconds=0):
        ours = [_settle(ground, count) for _ in range(REPEATS)]
    theirs = [_noop(ground, ground.count(20_000)) for _ in range(REPEATS)]
    mine, dramatiqs = median(ours), median(theirs)
    detail = f"{mine:,.0f} rows/s against {dramatiqs:,.0f} messages/s"
    return Result("settled_vs_noop", mine / dramatiqs, "ratio", Asked(">=", 8), detail)


def slow_provider_vs_ideal(ground: Ground) -> Result:
    """A provider that takes 50 ms, 512 in flight, against 512 messages every 50 ms."""
    count = ground.count(60_000)
    with worker_processes(ground, _settings(ground), provider_seconds=SLOW_SECONDS):
        mine = median(_settle(ground, count) for _ in range(REPEATS))
    ideal = IN_FLIGHT / SLOW_SECONDS
    detail = f"{mine:,.0f} a second of {ideal:,.0f}"
    return Result("slow_provider_vs_ideal", mine / ideal, "ratio", Asked(">=", 0.9), detail)


def behind_far_p99_ms(ground: Ground) -> Result:
    """Rows that fall due at once behind many that wait for up to 14 days: from due to hand-over."""
    ground.empty()
    far = ground.sequence(TWO_STEPS.replace("sequence: two", "sequence: far"))
    enrolled = ground.enroll(far, ground.contacts(ground.count(FAR_ROWS) // 2))
    with ground.database.transaction() as session:
        session.execute(
            "UPDATE outbox SET due_at = now() + (1 + id % 1123200) * interval '1 second' + interval '1 day'"
        )
        rows = session.execute("SELECT extract(epoch FROM due_at)::float8, id FROM outbox").fetchall()
    ground.wakeups.schedule([(due, [row]) for due, row in rows])
    del enrolled
    stretch = ground.sequence(TWO_STEPS)
    contacts = _ids(ground)
    figures, ran = [], 0
    with worker_processes(ground, _settings(ground), provider_seconds=0):
        for part in range(REPEATS):
            chosen = contacts[part * BURST : (part + 1) * BURST]
            lateness = _lateness_of(ground, stretch, chosen, rate=None)
            ran += len(lateness)
            figures.append(percentile(lateness, 0.99) * 1000)
    detail = f"{ran:,} of {REPEATS * BURST:,} ran, behind {len(rows):,}"
    return Result("behind_far_p99_ms", median(figures), "ms", Asked("<=", 500), detail)


def claim_lateness_idle_p99_ms(ground: Ground) -> Result:
    """3,000 rows a second and nothing else: from due to hand-over."""
    figure = _steady(ground, busy=False)
    return Result("claim_lateness_idle_p99_ms", figure, "ms", Asked("<=", 50), f"{RATE:,} rows/s for {SECONDS} s")


def claim_lateness_bulk_p99_ms(ground: Ground) -> Result:
    """The same while a file is enrolled."""
    figure = _steady(ground, busy=True)
    detail = f"{RATE:,} rows/s for {SECONDS} s, with bulk enrollment"
    return Result("claim_lateness_bulk_p99_ms", figure, "ms", Asked("<=", 250), detail)


def _settings(ground: Ground) -> Settings:
    return ground.settings.model_copy(update={"in_flight": IN_FLIGHT // PROCESSES})


def _settle(ground: Ground, count: int) -> float:
    """Rows settled in a second: they are all due, and their wake-ups come at once."""
    ground.empty()
    stretch = ground.sequence(TWO_STEPS)
    enrolled = ground.enroll(stretch, ground.contacts(count))
    ground.settle_statistics()
    ground.wakeups.schedule(enrolled.later)
    seen: list[tuple[float, int]] = []

    def all_settled() -> bool:
        seen.append((time.perf_counter(), _ended(ground)))
        return seen[-1][1] >= count

    ground.wakeups.schedule(enrolled.first)
    wait_until("all rows are settled", all_settled, pause=0.05)
    return _rate(seen, count)


def _noop(ground: Ground, count: int) -> float:
    """Messages that dramatiq's stock workers work off in a second."""
    ground.redis.flushall()
    url = required(ground.settings.redis_url)
    broker = RedisBroker(url=url)  # type: ignore[no-untyped-call]
    broker.declare_queue("default")
    for number in range(count):
        broker.enqueue(Message(queue_name="default", actor_name="noop", args=(number,), kwargs={}, options={}))
    command = ["dramatiq", "deploy.bench.noop:set_up", "--processes", "2", "--threads", "8"]
    seen: list[tuple[float, int]] = []

    def all_done() -> bool:
        left = int(ground.redis.hlen("dramatiq:default.msgs"))
        seen.append((time.perf_counter(), count - left))
        return left == 0

    with children([command], {REDIS_URL: url}):
        wait_until("dramatiq has worked all messages off", all_done, pause=0.05)
    broker.close()
    broker.client.close()
    return _rate(seen, count)


def _rate(seen: list[tuple[float, int]], count: int) -> float:
    """The rate between the two shares of the work."""
    first = _moment(seen, count * FROM_SHARE)
    last = _moment(seen, count * TO_SHARE)
    return count * (TO_SHARE - FROM_SHARE) / (last - first)


def _moment(seen: list[tuple[float, int]], done: float) -> float:
    """When so many were done, between two looks."""
    for (before, had), (after, has) in pairwise(seen):
        if has >= done:
            return before + (after - before) * (done - had) / max(has - had, 1)
    return seen[-1][0]


def _steady(ground: Ground, *, busy: bool) -> float:
    ground.empty()
    stretch = ground.sequence(TWO_STEPS)
    wave = RATE * (1 if ground.quick else SECONDS)
    contacts = ground.contacts(wave * REPEATS)
    figures = []
    with worker_processes(ground, _settings(ground), provider_seconds=0):
        for part in range(REPEATS):
            chosen = contacts[part * wave : (part + 1) * wave]
            with _bulk_enrollment(ground, busy):
                figures.append(percentile(_lateness_of(ground, stretch, chosen, rate=RATE), 0.99) * 1000)
    return median(figures)


def _lateness_of(ground: Ground, stretch: Stretch, contacts: list[int], rate: int | None) -> list[float]:
    """Real seconds from due to hand-over of the first steps: all due at once, or so many a second."""
    rows = [row for _, ids in ground.enroll(stretch, contacts).first for row in ids]
    with ground.database.transaction() as session:
        due = session.execute(SPREAD, {"rows": rows, "rate": rate}).fetchall()
    ground.wakeups.schedule([(moment, [row]) for row, moment in due])
    wait_until("all rows have run", lambda: len(_latenesses(ground, rows)) >= len(rows))
    return _latenesses(ground, rows)


def _latenesses(ground: Ground, rows: list[int]) -> list[float]:
    with ground.database.transaction() as session:
        found = session.execute(
            "SELECT lateness_seconds FROM attempts WHERE outbox_id = ANY(%s) AND outcome IS NOT NULL", (rows,)
        )
        return [row[0] for row in found]


@contextmanager
def _bulk_enrollment(ground: Ground, busy: bool) -> Iterator[None]:
    """Bulk enrollment in another process meanwhile, into another sequence."""
    if not busy:
        yield
        return
    environment = {"CADENZA_DATABASE_URL": required(ground.settings.database_url)}
    environment["CADENZA_REDIS_URL"] = required(ground.settings.redis_url)
    with children([["deploy.bench.bulk_load"]], environment) as (child,):
        _until_ready(child)
        yield


def _until_ready(child: "subprocess.Popen[bytes]") -> None:
    if child.stdout is None or child.stdout.readline() != b"ready\n":
        sys.stderr.write("bench: bulk enrollment did not start\n")
        raise RuntimeError("bulk enrollment did not start")


def _ended(ground: Ground) -> int:
    with ground.database.transaction() as session:
        row = session.execute("SELECT count(*) FROM attempts WHERE outcome IS NOT NULL").fetchone()
    return int(row[0]) if row else 0


def _ids(ground: Ground) -> list[int]:
    with ground.database.transaction() as session:
        return [row[0] for row in session.execute("SELECT id FROM contacts ORDER BY id")]
