"""Enrolled again some time after the end of the enrollment before, and never twice by two who do it at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from stage_site import wait_for
from world import World

from engine.clock import advance
from engine.database import Database
from engine.wakeups import Wakeups
from producers.bulk.run import run_bulk
from producers.enroll_event import EnrollEvent, publish, write

AGAIN = """
sequence: again
reentry: {after: 30 days}
steps: [{key: only, type: sms, body: Hi}]
"""
#: The calendar plans this one; whoever has no renewal date is through at once.
BY_DATE = """
sequence: again
reentry: {after: 30 days}
steps: [{key: only, type: sms, before: {attribute: renewal_date, by: 3 days}, at: "09:00", body: Hi}]
"""
ANN = EnrollEvent("again", phone="+12025550101")


@pytest.fixture
def wakeups(redis_url: str) -> Any:
    wakeups = Wakeups(redis_url)
    yield wakeups
    wakeups.close()


def jump(world: World, **time: float) -> None:
    with world.database.transaction() as session:
        advance(session, timedelta(**time))


def end(world: World, how: str) -> None:
    reason = "'operator'" if how == "cancelled" else "NULL"
    world.execute(
        f"UPDATE enrollments SET status = '{how}', {how}_at = sequence_now(), exit_reason = {reason},"
        " paused_at = NULL WHERE status IN ('active', 'paused')"
    )


def count(world: World) -> int:
    return int(world.query("SELECT count(*) FROM enrollments")[0][0])


@pytest.mark.parametrize("how", ["completed", "cancelled"])
@pytest.mark.parametrize("text", [AGAIN, AGAIN.replace("Hi}", "Hi, at: '09:00'}")], ids=["plain", "by the calendar"])
def test_again_when_the_time_since_its_end_is_over(world: World, wakeups: Wakeups, text: str, how: str) -> None:
    world.publish(text)
    first = publish(world.database, wakeups, ANN)
    jump(world, days=100)
    assert not publish(world.database, wakeups, ANN).created, "it runs"
    end(world, how)
    jump(world, days=29, hours=23)
    assert publish(world.database, wakeups, ANN).enrollment_id == first.enrollment_id
    jump(world, hours=1)
    assert publish(world.database, wakeups, ANN).created
    assert count(world) == 2


def test_a_paused_enrollment_blocks_however_old_it_is(world: World, wakeups: Wakeups) -> None:
    world.publish(AGAIN)
    publish(world.database, wakeups, ANN)
    world.execute("UPDATE enrollments SET status = 'paused', paused_at = sequence_now()")
    jump(world, days=100)
    assert not publish(world.database, wakeups, ANN).created


@pytest.mark.parametrize("text", [AGAIN, BY_DATE])
def test_of_many_who_do_it_at_once_one_does(world: World, wakeups: Wakeups, text: str) -> None:
    world.publish(text)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: publish(world.database, wakeups, ANN), range(16)))
    assert len({enrolled.enrollment_id for enrolled in made}) == 1
    assert count(world) == 1


def test_one_that_has_ended_by_the_time_it_is_seen_bars_too(world: World) -> None:
    """Whoever waited for the other goes by what there is then: here an enrollment that is through already."""
    world.publish(BY_DATE)
    world.execute("INSERT INTO contacts (workspace_id, phone) VALUES (1, '+12025550101')")
    apart = Database(world.database.url, name="another process")
    with ThreadPoolExecutor(1) as pool:
        with world.database.transaction() as session:
            enrolled = write(session, ANN)
            assert session.execute("SELECT status FROM enrollments").fetchall() == [("completed",)]

            def other() -> int:
                with apart.transaction() as its:
                    return write(its, ANN).enrollment_id

            second = pool.submit(other)
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            wait_for(lambda: world.query(waiting)[0][0] > 0, "the other waits")
        assert second.result() == enrolled.enrollment_id
    apart.close()
    assert count(world) == 1


@pytest.mark.parametrize("rule", ["{after: 30 days}", "after_exit"])
def test_a_version_that_lets_contacts_in_again_does_so_with_those_of_versions_before(
    world: World, wakeups: Wakeups, rule: str
) -> None:
    world.publish(AGAIN.replace("{after: 30 days}", "once"))
    publish(world.database, wakeups, ANN)
    world.publish(AGAIN.replace("{after: 30 days}", rule))
    assert not publish(world.database, wakeups, ANN).created, "it runs"
    end(world, "completed")
    jump(world, days=30)
    assert publish(world.database, wakeups, ANN).created
    assert not publish(world.database, wakeups, ANN).created
    world.publish(AGAIN.replace("{after: 30 days}", "once"))
    end(world, "completed")
    jump(world, days=30)
    assert not publish(world.database, wakeups, ANN).created


def test_in_a_file_they_are_repeats(world: World, wakeups: Wakeups, tmp_path: Path) -> None:
    world.publish(AGAIN)
    file = tmp_path / "people.csv"
    file.write_text("phone\n+12025550101\n+12025550102\n")

    def enroll(*, dry_run: bool = False) -> tuple[int, int]:
        done = run_bulk(world.database, wakeups, "default", "again", str(file), dry_run=dry_run)
        return done.enrolled, done.repeats

    assert enroll() == (2, 0)
    end(world, "completed")
    jump(world, days=10)
    file.write_text("phone\n+12025550101\n+12025550103\n")
    assert enroll(dry_run=True) == (1, 1)
    assert enroll() == (1, 1)
    jump(world, days=20)
    file.write_text("phone\n+12025550101\n+12025550103\n")
    assert enroll(dry_run=True) == (1, 1)
    assert enroll() == (1, 1)
    assert count(world) == 4
