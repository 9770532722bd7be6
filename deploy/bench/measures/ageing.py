"""What a database that is not new does to the rate: statistics from before the list, a long report, and sweeps."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Final

from deploy.bench.cpu import Meter, of_servers
from deploy.bench.delivering import CONNECTIONS, check_ledger, recipients
from deploy.bench.drain import settled_a_second, wait_until_settled
from deploy.bench.ground import Enrolled, Ground
from deploy.bench.measure import Asked, Result, by_turns
from deploy.bench.sequences import ONE_SMS, ONE_SMS_LATER
from deploy.bench.workers import IN_FLIGHT, SWEEP_SECONDS, worker_processes
from deploy.sandbox.options import SandboxOptions
from deploy.sandbox.process import start_sandbox
from deploy.sandbox.settings import with_sandbox
from deploy.sandbox.state import Sandbox

#: These take long, and one turn tells as much as five of a short one.
TURNS: Final = 3

#: Enrollments that wait, and the messages that go out before, beside and after.
WAITING: Final = 100_000
MESSAGES: Final = 2_000

#: What goes out beside a long report.
BESIDE_REPORT: Final = 50_000

#: A backlog that lasts for many sweeps: what CONNECTIONS carry with a provider that takes so long, in real seconds.
#: Each row is due in a dozen sweeps before it goes out, as in a backlog of 80,000 with a sweep every 2 seconds.
BACKLOG: Final = 20_000
SLOW_SECONDS: Final = 0.08
OFTEN: Final = 0.5
SWEEP_TURNS: Final = 2

REPORT: Final = "SELECT count(*), max(due_at) FROM outbox"


def claim_old_statistics_ratio(ground: Ground) -> Result:
    """SMS behind a long list: with statistics from before it, against fresh ones."""
    turns = [_before_and_after(ground) for _ in range(TURNS)]
    old, fresh = median(old for old, _ in turns), median(fresh for _, fresh in turns)
    detail = f"{old:,.0f} a second against {fresh:,.0f}, behind {ground.count(WAITING):,}"
    return Result("claim_old_statistics_ratio", old / fresh, "ratio", Asked(">=", 0.9), detail)


def sweep_cost_ratio(ground: Ground) -> Result:
    """Postgres's CPU a message with a backlog: swept many times, against never."""
    often, never = by_turns(lambda: _drain(ground, OFTEN), lambda: _drain(ground, SWEEP_SECONDS), SWEEP_TURNS)
    detail = f"Postgres {often:.2f} ms a message with CADENZA_SWEEP_SECONDS={OFTEN:g}, {never:.2f} with 3600"
    return Result("sweep_cost_ratio", often / never, "ratio", Asked("<=", 1.1), detail)


def long_report_ratio(ground: Ground) -> Result:
    """Many messages while a transaction with a snapshot stays open, against none."""
    beside, alone = by_turns(lambda: _beside(ground, report=True), lambda: _beside(ground, report=False), TURNS)
    count = ground.count(BESIDE_REPORT)
    detail = f"{beside:,.0f} a second of {count:,} against {alone:,.0f}"
    return Result("long_report_ratio", beside / alone, "ratio", Asked(">=", 0.5), detail)


def _before_and_after(ground: Ground) -> tuple[float, float]:
    """Rates with statistics from before the list, and with fresh ones.

    Before the list there is what a small installation has: some messages, all sent, all their enrollments completed.
    """
    count = ground.count(MESSAGES)
    ground.empty()
    ground.set_autovacuum(on=False)
    options = SandboxOptions(data_dir=ground.folder / "sandbox", fresh_ledger=True)
    try:
        with start_sandbox(options) as process:
            contacts = ground.contacts(3 * count + ground.count(WAITING))
            earlier, first, second = (contacts[part * count : (part + 1) * count] for part in range(3))
            _deliver(ground, process.sandbox, earlier)
            ground.settle_statistics()
            ground.wakeups.schedule(ground.enroll(ground.sequence(ONE_SMS_LATER), contacts[3 * count :]).first)
            old = _deliver(ground, process.sandbox, first)
            ground.settle_statistics()
            fresh = _deliver(ground, process.sandbox, second)
            expected = recipients(ground, contacts[: 3 * count])
        ground.claimed_twice.append(check_ledger(process.sandbox, expected))
    finally:
        ground.set_autovacuum(on=True)
    return old, fresh


def _deliver(ground: Ground, sandbox: Sandbox, contacts: Sequence[int]) -> float:
    """Messages a second to these contacts, by processes that have planned nothing yet."""
    settings = with_sandbox(ground.settings, sandbox)
    with worker_processes(ground, in_flight=CONNECTIONS, settings=settings):
        enrolled = ground.enroll(ground.sequence(ONE_SMS), contacts)
        _send(ground, enrolled)
    return settled_a_second(ground, enrolled.first_rows())


def _drain(ground: Ground, sweep_seconds: float) -> float:
    """Postgres's milliseconds a message while a backlog is worked off."""
    ground.empty()
    contacts = ground.contacts(ground.count(BACKLOG))
    with worker_processes(ground, in_flight=CONNECTIONS, provider_seconds=SLOW_SECONDS, sweep_seconds=sweep_seconds):
        enrolled = ground.enroll(ground.sequence(ONE_SMS), contacts)
        ground.settle_statistics()
        meter = Meter(**of_servers(ground))
        _send(ground, enrolled)
        return meter.milliseconds(len(contacts))["postgres"]


def _beside(ground: Ground, *, report: bool) -> float:
    """Messages a second, with a report or without."""
    ground.empty()
    contacts = ground.contacts(ground.count(BESIDE_REPORT))
    with worker_processes(ground, in_flight=IN_FLIGHT, provider_seconds=0):
        enrolled = ground.enroll(ground.sequence(ONE_SMS), contacts)
        ground.settle_statistics()
        with _snapshot(ground, report):
            _send(ground, enrolled)
    return settled_a_second(ground)


@contextmanager
def _snapshot(ground: Ground, report: bool) -> Iterator[None]:
    """Hold a snapshot of the whole database, as a report does that takes long."""
    if not report:
        yield
        return
    with ground.database.connect() as session:
        session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        session.execute(REPORT).fetchone()
        yield
        session.execute("COMMIT")


def _send(ground: Ground, enrolled: Enrolled) -> None:
    ground.wakeups.schedule(enrolled.first)
    wait_until_settled(ground)
