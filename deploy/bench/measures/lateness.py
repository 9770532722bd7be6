"""How late rows are handed over: from due to the begin of the hand-over, as the attempts tell it."""

from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Final

from deploy.bench.children import children, hear, wait_until
from deploy.bench.drain import wait_until_settled
from deploy.bench.ground import Ground
from deploy.bench.measure import REPEATS, Asked, Result, percentile
from deploy.bench.sequences import FAR_STEPS, TWO_STEPS
from deploy.bench.workers import IN_FLIGHT, worker_processes
from deploy.cli.session import required
from engine.outbox.plan import Stretch

FAR_ROWS: Final = 200_000
BURST: Final = 1_000

#: Rows a second, and for how many real seconds.
RATE: Final = 3_000
SECONDS: Final = 4

#: Real seconds from setting the times to the first of them: setting them must be over by then.
HEAD_START: Final = 2.0

#: The far rows fall due at any second of the fortnight after tomorrow.
SCATTER: Final = """
UPDATE outbox SET due_at = sequence_now() + (86400 + mod(id * 7919, 1123200)) * interval '1 second'
RETURNING id, extract(epoch FROM due_at)::float8
"""

#: So many rows a second, or all at once.
SPREAD: Final = """
UPDATE outbox o SET due_at = start.at + (wave.number - 1) * %(gap)s * interval '1 second'
FROM unnest(%(rows)s::bigint[]) WITH ORDINALITY AS wave (id, number),
    (SELECT sequence_now() + %(head_start)s * interval '1 second' AS at) AS start
WHERE o.id = wave.id RETURNING o.id, extract(epoch FROM o.due_at)::float8
"""

LATENESS: Final = "SELECT lateness_seconds FROM attempts WHERE outbox_id = ANY(%s)"


def behind_far_p99_ms(ground: Ground) -> Result:
    """Rows that fall due at once behind many that wait for up to 14 days."""
    ground.empty()
    contacts = ground.contacts(max(ground.count(FAR_ROWS) // 5, REPEATS * BURST))
    ground.enroll(ground.sequence(FAR_STEPS), contacts)
    with ground.database.transaction() as session:
        far = session.execute(SCATTER).fetchall()
    ground.wakeups.schedule((moment, [row]) for row, moment in far)
    stretch = ground.sequence(TWO_STEPS)
    figures, ran = [], 0
    with worker_processes(ground, in_flight=IN_FLIGHT, provider_seconds=0):
        for part in range(REPEATS):
            lateness = _lateness(ground, stretch, contacts[part * BURST : (part + 1) * BURST], gap=0)
            ran += len(lateness)
            figures.append(percentile(lateness, 0.99) * 1000)
    detail = f"{ran:,} of {REPEATS * BURST:,} ran, behind {len(far):,}"
    return Result("behind_far_p99_ms", median(figures), "ms", Asked("<=", 500), detail)


def claim_lateness_idle_p99_ms(ground: Ground) -> Result:
    """3,000 rows a second and nothing else."""
    figure = _steady(ground, busy=False)
    return Result("claim_lateness_idle_p99_ms", figure, "ms", Asked("<=", 50), f"{RATE:,} rows/s for {SECONDS} s")


def claim_lateness_bulk_p99_ms(ground: Ground) -> Result:
    """3,000 rows a second while others are enrolled in bulk."""
    figure = _steady(ground, busy=True)
    detail = f"{RATE:,} rows/s for {SECONDS} s, with bulk enrollment"
    return Result("claim_lateness_bulk_p99_ms", figure, "ms", Asked("<=", 250), detail)


def _steady(ground: Ground, *, busy: bool) -> float:
    ground.empty()
    stretch = ground.sequence(TWO_STEPS)
    wave = RATE * (1 if ground.quick else SECONDS)
    contacts = ground.contacts(wave * REPEATS)
    figures = []
    with worker_processes(ground, in_flight=IN_FLIGHT, provider_seconds=0):
        for part in range(REPEATS):
            with _bulk_enrollment(ground, busy):
                lateness = _lateness(ground, stretch, contacts[part * wave : (part + 1) * wave], gap=1 / RATE)
            figures.append(percentile(lateness, 0.99) * 1000)
    return median(figures)


def _lateness(ground: Ground, stretch: Stretch, contacts: list[int], gap: float) -> list[float]:
    """Real seconds from due to hand-over of the first steps, which fall due one after the other, or all at once."""
    rows = [row for _, ids in ground.enroll(stretch, contacts).first for row in ids]
    with ground.database.transaction() as session:
        due = session.execute(SPREAD, {"rows": rows, "gap": gap, "head_start": HEAD_START}).fetchall()
    ground.wakeups.schedule((moment, [row]) for row, moment in due)
    last = max(moment for _, moment in due)
    wait_until("the last row is due", lambda: ground.clock.now() > last)
    wait_until_settled(ground)
    with ground.database.transaction() as session:
        return [row[0] for row in session.execute(LATENESS, (rows,))]


@contextmanager
def _bulk_enrollment(ground: Ground, busy: bool) -> Iterator[None]:
    """Bulk enrollment in another process meanwhile, into another sequence."""
    if not busy:
        yield
        return
    environment = {
        "CADENZA_DATABASE_URL": required(ground.settings.database_url),
        "CADENZA_REDIS_URL": required(ground.settings.redis_url),
    }
    with children([["deploy.bench.bulk_load"]], environment) as processes:
        hear(processes, "ready")
        yield
