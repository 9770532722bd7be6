"""With 100,000 enrollments that stand at a task: one is completed, one more begins, one is explained.

What is timed is a whole transaction as its client sees it: the database's own time is no longer than that.
"""

import time
from collections.abc import Callable
from typing import Final

from deploy.bench.ground import Ground
from deploy.bench.measure import Asked, Result, percentile
from deploy.bench.sequences import TEN_STEPS, TEN_STEPS_KEY
from producers.enroll_event import EnrollEvent, write
from producers.explaining import explain_enrollment
from producers.tasks.acts import complete

ENROLLMENTS: Final = 100_000

#: So often each, of enrollments all over the table; the 99th percentile counts.
TIMES: Final = 200

SPREAD: Final = """
SELECT id FROM enrollments WHERE status = 'active' AND id %% (SELECT max(id) / %(times)s FROM enrollments) = 0
ORDER BY id LIMIT %(times)s
"""
HAVE_BEGUN: Final = """
SELECT count(*) FROM outbox WHERE enrollment_id = ANY(%(enrollments)s) AND step_order = 2 AND status = 'pending'
"""


def task_completed_ms(ground: Ground) -> Result:
    """A task is completed, and the next stretch gets its times."""
    ids = _stand(ground)

    def one(number: int) -> None:
        with ground.database.transaction() as session:
            complete(session, 1, ids[number], "ring", by="bench", outcome="reached")

    values = _timed(one)
    with ground.database.transaction() as session:
        row = session.execute(HAVE_BEGUN, {"enrollments": ids}).fetchone()
    if row is None or row[0] != len(ids):
        raise AssertionError(f"{row} of {len(ids)} tasks were completed and activated the next step")
    return _result("task_completed_ms", values, 50)


def enrollment_of_10_steps_ms(ground: Ground) -> Result:
    """Somebody new is enrolled by an event, ten rows and all."""
    _stand(ground)

    def one(number: int) -> None:
        event = EnrollEvent(TEN_STEPS_KEY, email=f"new{number}@example.com", phone=f"+1{2025550000 + number}")
        with ground.database.transaction() as session:
            write(session, event)

    return _result("enrollment_of_10_steps_ms", _timed(one), 200)


def explain_ms(ground: Ground) -> Result:
    """An enrollment is explained: all that is known of it is read, and put together."""
    ids = _stand(ground)
    values = _timed(lambda number: explain_enrollment(ground.database, "default", ids[number]))
    return _result("explain_ms", values, 100)


def _stand(ground: Ground) -> list[int]:
    """Let them all stand at their first task; give some of them. What another measure has built is taken again."""
    with ground.database.transaction() as session:
        row = session.execute("SELECT count(*) FROM enrollments WHERE status = 'active'").fetchone()
    if row is None or row[0] < ground.count(ENROLLMENTS):
        ground.empty()
        ground.enroll(ground.sequence(TEN_STEPS), ground.contacts(ground.count(ENROLLMENTS)))
        ground.settle_statistics()
    with ground.database.transaction() as session:
        return [one for (one,) in session.execute(SPREAD, {"times": TIMES})]


def _timed(act: Callable[[int], object]) -> list[float]:
    values = []
    for number in range(TIMES):
        started = time.perf_counter()
        act(number)
        values.append(1_000 * (time.perf_counter() - started))
    return values


def _result(measure: str, values: list[float], most: float) -> Result:
    detail = f"p99 of {len(values)}, the middle {percentile(values, 0.5):.1f}"
    return Result(measure, percentile(values, 0.99), "ms", Asked("<=", most), detail)
