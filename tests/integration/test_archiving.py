"""Archiving a sequence: nothing more goes out of it, what runs is ended, and it can be brought back."""

from collections.abc import Iterator
from threading import Event, Thread
from typing import Any

import pytest
from pauser import WHO, Pauser
from stage_site import GENEROUS, wait_for
from world import World

from engine.clock import SequenceClock
from engine.database import Database
from engine.errors import InvalidInput
from engine.outbox import archive as archived
from engine.outbox.begin import Attempt, begin
from engine.outbox.claim import claim
from engine.outbox.leave_many import CHUNK
from engine.outbox.resume import release
from engine.wakeups import Wakeups
from producers.archiving import Archived, archive, unarchive, what_runs
from producers.enroll_event import EnrollEvent, write
from producers.enrollment import enroll_people
from producers.pausing import pause_all, resume_all
from producers.people import person
from producers.review import Decision, decide
from producers.sequences import find_sequence, publish
from producers.tasks.acts import reopen
from schema.definition import parse

CALL = "sequence: calls\nsteps: [{key: ring, type: call, delay: 1 minute}]"


@pytest.fixture
def wakeups(redis_url: str) -> Iterator[Wakeups]:
    wakeups = Wakeups(redis_url)
    yield wakeups
    wakeups.close()


def enrollments(world: World, sequence: str = "follow-up") -> list[tuple[Any, ...]]:
    return world.query(
        "SELECT e.status, exit_reason FROM enrollments e JOIN sequences s ON s.id = sequence_id WHERE s.key = %s"
        " ORDER BY e.id",
        sequence,
    )


def test_what_runs_is_ended_and_what_has_ended_stays_as_it_was(world: World) -> None:
    world.enroll(count=4)
    world.publish("sequence: beside\nsteps: [{key: only, type: sms, body: Hi}]")
    world.enroll("beside")
    world.execute("UPDATE enrollments SET status = 'completed', completed_at = now() WHERE id = 1")
    world.execute("UPDATE enrollments SET status = 'paused', paused_at = now() WHERE id = 2")
    world.execute("UPDATE outbox SET status = 'open' WHERE enrollment_id = 3 AND step_order = 1")
    runs = what_runs(world.database, "default", "follow-up")
    assert (runs.active, runs.paused, runs.tasks, runs.under_way) == (2, 1, 1, 0)
    seen: list[int] = []
    done = archive(world.database, WHO, "follow-up", progress=seen.append)
    assert done == Archived(changed=True, enrollments=3, under_way=0, finished=True)
    assert seen == [3]
    assert enrollments(world) == [("completed", None), *[("cancelled", "archived")] * 3]
    assert set(world.rows("status, reason", "enrollment_id IN (2, 3, 4)")) == {("cancelled", "archived")}
    assert enrollments(world, "beside") == [("active", None)]
    assert world.query("SELECT count(*) FROM holds") == [(0,)]
    noted = world.query("SELECT made_by, was, became, reason FROM history WHERE enrollment_id = 2")
    assert noted == [("ann", "paused", "cancelled", "archived")]
    assert world.query("SELECT made_by, became, reason FROM history WHERE enrollment_id IS NULL") == [
        ("ann", "archived", "holidays")
    ]
    assert archive(world.database, WHO, "follow-up") == Archived(False, 0, 0, finished=True)


def test_what_is_being_sent_is_told_and_settled_as_ever(world: World) -> None:
    world.enroll(count=2)
    world.begin(world.ids("step_order = 1 AND enrollment_id = 1"))
    assert archive(world.database, WHO, "follow-up").under_way == 1
    assert world.statuses() == ["sending", *["cancelled"] * 5]


def test_it_takes_nobody_publishes_nothing_and_can_be_neither_paused_nor_resumed(
    world: World, wakeups: Wakeups
) -> None:
    world.enroll()
    archive(world.database, WHO, "follow-up")
    with pytest.raises(InvalidInput, match=r"is archived: .*`cadenza unarchive follow-up`"):
        world.enroll()
    with pytest.raises(InvalidInput, match=r"is archived: .*`cadenza unarchive follow-up`"):
        world.publish("sequence: follow-up\nname: New\nsteps: [{key: only, type: sms, body: Hi}]")
    assert world.query("SELECT name FROM sequences") == [("Follow up",)]
    with pytest.raises(InvalidInput, match="is archived: there is nothing to pause"):
        pause_all(world.database, WHO, "follow-up")
    with pytest.raises(InvalidInput, match="is archived"):
        resume_all(world.database, wakeups, WHO, "follow-up")


@pytest.mark.parametrize("before", ["active", "paused"])
def test_it_is_brought_back_to_what_it_was(world: World, wakeups: Wakeups, before: str) -> None:
    sequence = Pauser(world, wakeups, "sequence")
    world.enroll()
    if before == "paused":
        sequence.pause()
    archive(world.database, WHO, "follow-up")
    back = unarchive(world.database, WHO, "follow-up")
    assert (back.changed, back.status) == (True, before)
    assert not unarchive(world.database, WHO, "follow-up").changed
    assert world.query("SELECT count(*) FROM holds") == [(int(before == "paused"),)]
    assert sequence.resume() is (before == "paused")
    assert enrollments(world) == [("cancelled", "archived")]
    world.enroll()
    assert len(world.begin(world.ids("enrollment_id > 1 AND step_order = 1"))) == 1


def test_nothing_is_begun_from_the_moment_it_is_stored(world: World) -> None:
    world.enroll(count=2)
    with world.database.transaction() as session:
        ((sequence_id,),) = session.execute("SELECT id FROM sequences").fetchall()
        archived.archive(session, 1, sequence_id, "ann")
    assert enrollments(world) == [("active", None)] * 2
    assert world.begin(world.ids()) == []
    with pytest.raises(InvalidInput, match="still being archived: 2 enrollment"):
        unarchive(world.database, WHO, "follow-up")
    assert archive(world.database, WHO, "follow-up") == Archived(False, 2, 0, finished=True)


def test_a_run_that_was_stopped_goes_on(world: World) -> None:
    world.execute(
        "INSERT INTO contacts (workspace_id, external_id) SELECT 1, 'c' || n FROM generate_series(1, %s) n", CHUNK + 5
    )
    world.execute(
        "INSERT INTO enrollments (workspace_id, sequence_id, version_id, contact_id, reentry, enrolled_at)"
        " SELECT 1, v.sequence_id, v.id, c.id, 'once', now() FROM contacts c, sequence_versions v"
    )

    class StoppedError(Exception):
        pass

    def stop(ended: int) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        archive(world.database, WHO, "follow-up", progress=stop)
    assert enrollments(world).count(("cancelled", "archived")) == CHUNK
    assert archive(world.database, WHO, "follow-up") == Archived(False, 5, 0, finished=True)


def test_a_claim_that_has_not_seen_it_is_waited_for(world: World) -> None:
    world.enroll()
    done: list[Archived] = []
    with world.database.transaction() as session:
        rows = claim(session, world.ids("step_order = 1"))
        run = Thread(target=lambda: done.append(archive(world.database, WHO, "follow-up")))
        run.start()
        wait_for(lambda: world.query("SELECT status FROM sequences")[0][0] == "archived", "archived")
        assert not done
        begin(session, [Attempt(row.id, row.fence, row.recipient, "{}", 0.0) for row in rows], 60)
    run.join()
    assert done == [Archived(True, 1, 1, finished=True)]


def test_who_is_enrolling_meanwhile_is_waited_for_and_ended_too(world: World) -> None:
    world.enroll()
    done: list[Archived] = []
    ended = Event()

    def run() -> None:
        done.append(archive(world.database, WHO, "follow-up", progress=lambda _: ended.set(), patience=GENEROUS))

    with world.database.transaction() as session:
        write(session, EnrollEvent("follow-up", email="late@example.com", phone="+12025550123"))
        archiving = Thread(target=run)
        archiving.start()
        assert ended.wait(GENEROUS), "what there was to be seen is ended"
        archiving.join(1)
        assert not done, "somebody is still enrolling"
    archiving.join()
    assert done == [Archived(True, 2, 0, finished=True)]
    assert enrollments(world) == [("cancelled", "archived")] * 2


def test_one_who_looked_the_sequence_up_before_gets_nobody_in(world: World) -> None:
    world.enroll()
    with pytest.raises(InvalidInput, match="is archived"), world.database.transaction() as session:
        stale = find_sequence(session, 1, "follow-up")
        archive(world.database, WHO, "follow-up")
        enroll_known(session, stale)
    assert len(enrollments(world)) == 1


def enroll_known(session: Any, sequence: Any) -> None:
    who, _ = person({"email": "ada@example.com", "phone": "+12025550199"}, region="US", needs=frozenset())
    enroll_people(session, sequence, [who])


def test_what_an_older_snapshot_enrolls_is_held_back_until_archiving_is_run_again(world: World) -> None:
    world.execute("INSERT INTO contacts (workspace_id, email, email_key) VALUES (1, 'a@example.com', 'a@example.com')")
    apart = Database(world.database.url, name="an application")
    with apart.transaction() as session:
        session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        session.execute("SELECT FROM sequences")
        assert archive(world.database, WHO, "follow-up", patience=0) == Archived(True, 0, 0, finished=False)
        write(session, EnrollEvent("follow-up", email="late@example.com", phone="+12025550123"))
    apart.close()
    assert enrollments(world) == [("active", None)]
    assert world.begin(world.ids()) == []
    assert archive(world.database, WHO, "follow-up") == Archived(False, 1, 0, finished=True)
    assert world.query("SELECT count(*) FROM holds") == [(0,)]


def test_nothing_that_had_ended_goes_on_again(world: World) -> None:
    world.publish(CALL)
    world.enroll("calls")
    world.execute("UPDATE outbox SET status = 'done' WHERE step_key = 'ring'")
    world.enroll()
    world.execute("UPDATE outbox SET status = 'review' WHERE step_key = 'first'")
    world.execute("UPDATE outbox SET status = 'skipped', reason = 'by hand' WHERE step_key IN ('second', 'third')")
    world.execute("UPDATE enrollments SET status = 'completed', completed_at = now()")
    archive(world.database, WHO, "calls")
    archive(world.database, WHO, "follow-up")
    with pytest.raises(InvalidInput, match="is archived"), world.database.transaction() as session:
        reopen(session, 1, 1, "ring")
    (row,) = world.ids("step_key = 'first'")
    with pytest.raises(InvalidInput, match="is archived"), world.database.transaction() as session:
        decide(session, SequenceClock(world.database), 1, row, Decision.RESEND)
    with world.database.transaction() as session:
        decide(session, SequenceClock(world.database), 1, row, Decision.SENT)


def test_a_resume_of_the_pause_before_lets_nothing_go(world: World, wakeups: Wakeups) -> None:
    Pauser(world, wakeups, "sequence").pause()
    ((hold_id,),) = world.query("SELECT id FROM holds")
    world.execute("UPDATE sequences SET status = 'active'")
    world.enroll()
    with world.database.transaction() as session:
        ((sequence_id,),) = session.execute("SELECT id FROM sequences").fetchall()
        archived.archive(session, 1, sequence_id, "ann")
        assert release(session, hold_id, keep_times=False).over
    assert world.begin(world.ids()) == []


def test_another_definition_may_be_applied_when_it_is_back(world: World) -> None:
    archive(world.database, WHO, "follow-up")
    unarchive(world.database, WHO, "follow-up")
    with world.database.transaction() as session:
        new = publish(session, 1, parse("sequence: follow-up\nsteps: [{key: only, type: sms, body: Hi}]"))
    assert (new.number, new.changed) == (2, True)
