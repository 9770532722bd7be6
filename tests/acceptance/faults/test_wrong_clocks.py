"""Scenario 24, its second half: clocks of a worker's machine and of the database that are wrong; changing nights."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from act import TIMEZONE, Act
from stage import wait_for, wrong_clock

from deploy.chaos.children import Workers
from engine.clock import sequence_now

TWO_HOURS = 7_200.0
HOUR = 1 / 24

#: How a worker says that it sends nothing.
STOPPED = "dispatch is stopped"

SOON = "sequence: soon\nsteps: [{key: only, type: sms, delay: 1 hour, body: Soon}]"
NIGHT = """
sequence: night
steps:
  - {key: before, type: sms, body: Before}
  - {key: after, type: sms, delay: 1 hour, body: After}
  - {key: next, type: email, delay: 1 day, subject: Next, text: Next}
"""

#: Another function takes the name of Postgres's own clock, for all sessions but the test's own. What was bound to it
#: before, as defaults of columns, keeps it.
SKEWED = """
CREATE SCHEMA skewed;
CREATE TABLE skewed.shift (seconds double precision NOT NULL);
INSERT INTO skewed.shift VALUES (0);
SET allow_system_table_mods = on;
ALTER FUNCTION pg_catalog.clock_timestamp() RENAME TO right_clock_timestamp;
DO $$ BEGIN
    EXECUTE format(
        'CREATE FUNCTION pg_catalog.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS %L',
        format(
            'SELECT pg_catalog.right_clock_timestamp() + make_interval(secs => coalesce(
                (SELECT seconds FROM skewed.shift WHERE current_setting(%L) <> %L), 0))',
            'application_name', current_setting('application_name')
        )
    );
END $$;
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND application_name <> current_setting('application_name')
"""


def test_24_workers_whose_clocks_are_wrong(act: Act) -> None:
    """They say so and send nothing; the others do, and nothing goes out early."""
    wrong = [act.stage.workers(also=wrong_clock(by)) for by in (TWO_HOURS, -TWO_HOURS)]
    for workers in wrong:
        workers.wait_for_children()
    with act.frozen():
        act.enroll("steps", count=5)
        for workers in wrong:
            wait_for_complaints(workers)
        assert act.statuses() == {"pending": 15}
    act.until(sent=5, pending=10)
    act.jump(1)
    act.until(sent=10, pending=5)
    act.judge(once=10)
    for workers in wrong:
        workers.process.terminate()  # both end at the same time
    for workers in wrong:
        workers.end()


def test_24_a_database_whose_clock_jumps(act: Act) -> None:
    """What it says of leases and of what is due can't be trusted: nothing is sent until it is right again."""
    assert act.house is not None
    act.execute(SKEWED)
    act.publish(SOON)
    act.enroll("steps", count=5)
    act.enroll("soon", count=5)
    act.until(sent=5, pending=15)
    for number, shift in enumerate((TWO_HOURS, -TWO_HOURS), start=1):
        act.query("UPDATE skewed.shift SET seconds = %s RETURNING 1", shift)
        wait_for_complaints(act.house.workers)
        act.enroll("sms", count=5)
        wait_for_complaints(act.house.workers)
        assert act.statuses() == {"sent": 5 * number, "pending": 20}
        act.query("UPDATE skewed.shift SET seconds = 0 RETURNING 1")
        act.until(sent=5 + 5 * number, pending=15)
    act.judge(once=15)


def test_24_nights_on_which_clocks_are_changed(act: Act) -> None:
    """Workers and database live where a night is shorter or longer; an hour is an hour and a day is 24 of them."""
    act.publish(NIGHT)
    with act.stage.database.transaction() as session:
        now = sequence_now(session)
    for number, change in enumerate(islice(changes(now), 2), start=1):
        with act.stage.database.transaction() as session:
            ahead = change - timedelta(minutes=30) - sequence_now(session)
        act.jump(ahead / timedelta(days=1))
        act.enroll("night", count=5)
        act.until(sent=15 * number - 10, pending=10)
        act.jump(HOUR)
        act.until(sent=15 * number - 5, pending=5)
        act.jump(1)
        act.until(sent=15 * number)
    act.judge(once=30)
    due = [moment for (moment,) in act.rows("extract(epoch FROM due_at)::float8")]
    assert [due[place + 1] - due[place] for place in range(0, len(due), 3)] == [3_600] * 10
    assert [due[place + 2] - due[place + 1] for place in range(0, len(due), 3)] == [86_400] * 10


def changes(after: datetime) -> Iterator[datetime]:
    """The moments at which the clocks are changed."""
    place = ZoneInfo(TIMEZONE)
    moment = after.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while True:
        following = moment + timedelta(hours=1)
        if moment.astimezone(place).utcoffset() != following.astimezone(place).utcoffset():
            yield following
        moment = following


def wait_for_complaints(workers: Workers) -> None:
    """Wait until they say once more that they send nothing, as they do instead of looking what is due."""
    before = complaints(workers)
    wait_for(lambda: complaints(workers) > before, "they say that they send nothing")


def complaints(workers: Workers) -> int:
    return workers.log.read_text().count(STOPPED)
