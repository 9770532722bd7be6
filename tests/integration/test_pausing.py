"""Pause and resume: of an enrollment, a sequence, a workspace."""

from collections.abc import Iterator
from datetime import timedelta
from threading import Event, Thread
from typing import Any

import pytest
from awaiting import awaiting
from pauser import WHO, Pauser
from stage_site import GENEROUS, wait_for
from world import World

from deploy.audit.read_book import read_book
from engine.clock import advance, sequence_now
from engine.database import Database
from engine.errors import InvalidInput, NotFound
from engine.outbox.begin import Attempt, begin
from engine.outbox.claim import claim, left_alone
from engine.outbox.hold import hold, one_by_one
from engine.outbox.last_look import still_good
from engine.outbox.resume import release
from engine.outbox.sweep import due_workspaces
from engine.wakeups import Wakeups
from producers.pausing import Paused, pause_all, pause_enrollment, resume_one

#: How far each row is from the end of its enrollment's start, in days.
DAYS = "round(extract(epoch FROM o.due_at - e.enrolled_at) / 86400, 3)::float8"

SCOPES = ["enrollment", "sequence", "workspace"]


@pytest.fixture
def wakeups(redis_url: str) -> Iterator[Wakeups]:
    wakeups = Wakeups(redis_url)
    yield wakeups
    wakeups.close()


@pytest.fixture(params=SCOPES)
def pauser(request: pytest.FixtureRequest, world: World, wakeups: Wakeups) -> Pauser:
    return Pauser(world, wakeups, request.param)


def jump(world: World, days: float) -> None:
    with world.database.transaction() as session:
        advance(session, timedelta(days=days))


def days(world: World, enrollment: int = 1) -> list[float]:
    """When the rows of an enrollment are due, in days after it was made."""
    due = (
        f"SELECT {DAYS} FROM outbox o JOIN enrollments e ON e.id = o.enrollment_id WHERE e.id = %s ORDER BY step_order"
    )
    return [float(day) for (day,) in world.query(due, enrollment)]


def send(world: World, where: str) -> None:
    """Let rows be claimed and sent."""
    rows = world.begin(world.ids(where))
    assert rows
    world.execute(
        "UPDATE outbox SET status = 'sent', sent_at = sequence_now(), lease_until = NULL, fence = fence + 1"
        " WHERE id = ANY(%s)",
        [row.id for row in rows],
    )


def test_nothing_goes_out_while_it_is_paused(world: World, pauser: Pauser) -> None:
    world.enroll()
    assert pauser.pause().changed
    assert not pauser.pause().changed
    assert world.begin(world.ids()) == []
    with world.database.transaction() as session:
        assert not any(row.may_go for row in left_alone(session, world.ids()))
        assert awaiting(session) == []
    assert read_book(world.database).enrollments[1].status == "paused"
    assert pauser.resume()
    assert not pauser.resume()
    assert len(world.begin(world.ids("step_order = 1"))) == 1


def test_what_remained_of_the_delays_counts_from_the_resume(world: World, pauser: Pauser) -> None:
    world.enroll()
    send(world, "step_order = 1")
    jump(world, 0.25)
    pauser.pause()
    jump(world, 10)
    pauser.resume()
    assert days(world) == [0, 11, 12]
    assert pauser.wakeups.counts()["waiting"] == 2


def test_with_the_clock_run_on_what_fell_due_goes_out_now_and_the_rest_keeps_its_distance(
    world: World, pauser: Pauser
) -> None:
    world.enroll()
    send(world, "step_order = 1")
    pauser.pause()
    jump(world, 5)
    pauser.resume(keep_times=True)
    assert days(world) == [0, 5, 6]


def test_with_the_clock_run_on_nothing_moves_that_has_not_fallen_due(world: World, pauser: Pauser) -> None:
    world.enroll()
    send(world, "step_order = 1")
    pauser.pause()
    jump(world, 0.5)
    pauser.resume(keep_times=True)
    assert days(world) == [0, 1, 2]


def test_other_enrollments_sequences_and_workspaces_go_on(world: World, pauser: Pauser) -> None:
    world.execute("INSERT INTO workspaces (key, name) VALUES ('other', 'Other')")
    ((other,),) = world.query("SELECT id FROM workspaces WHERE key = 'other'")
    world.publish(workspace_id=other)
    world.publish("sequence: beside\nsteps: [{key: only, type: sms, body: Hi}]")
    world.enroll()
    world.enroll("beside")
    world.enroll(workspace="other")
    pauser.pause()
    goes_on = {"enrollment": 2, "sequence": 2, "workspace": 1}
    assert len(world.begin(world.ids("step_order = 1"))) == goes_on[pauser.scope]


def test_a_paused_sequence_takes_no_enrollments_and_a_paused_workspace_does(world: World, wakeups: Wakeups) -> None:
    Pauser(world, wakeups, "sequence").pause()
    with pytest.raises(InvalidInput, match="is paused"):
        world.enroll()
    Pauser(world, wakeups, "sequence").resume()
    Pauser(world, wakeups, "workspace").pause()
    world.enroll()
    assert world.begin(world.ids()) == []


def test_who_was_enrolled_during_the_pause_waits_only_for_the_rest_of_it(world: World, wakeups: Wakeups) -> None:
    everything = Pauser(world, wakeups, "workspace")
    everything.pause()
    jump(world, 3)
    world.enroll()
    jump(world, 2)
    everything.resume()
    assert days(world) == [2, 3, 4]


#: What is paused (+) and resumed (-) after how many days, and for how long the enrollment then stood still.
OVERLAPS = [
    ("0 +enrollment 5 +workspace 10 -enrollment 15 -workspace", 15),
    ("0 +workspace 5 +enrollment 10 -workspace 15 -enrollment", 15),
    ("0 +workspace 5 +enrollment 15 -enrollment 20 -workspace", 20),
    ("0 +sequence 5 +workspace 10 -sequence 15 -workspace", 15),
    ("0 +workspace 2 +sequence 4 -workspace 9 -sequence", 9),
    ("0 +enrollment 2 -enrollment 4 +sequence 9 -sequence", 7),
]


@pytest.mark.parametrize("begun", [True, False])
@pytest.mark.parametrize(("story", "still"), OVERLAPS)
def test_pauses_that_overlap_are_counted_once(
    world: World, wakeups: Wakeups, story: str, still: float, begun: bool
) -> None:
    world.enroll()
    if begun:
        send(world, "step_order = 1")
    now = 0
    words = story.split()
    for at, act in zip(words[::2], words[1::2], strict=True):
        if int(at) > now:
            jump(world, int(at) - now)
            now = int(at)
        pauser = Pauser(world, wakeups, act[1:])
        assert pauser.resume() if act[0] == "-" else pauser.pause().changed
    assert days(world) == [0 if begun else still, 1 + still, 2 + still]


def test_a_pause_waits_for_claims_that_have_not_seen_it(world: World, pauser: Pauser) -> None:
    """What was claimed before it is begun, and on its way, when it returns."""
    world.enroll()
    returned = Event()
    found: list[Paused] = []

    def pause() -> None:
        found.append(pauser.pause())
        returned.set()

    with world.database.transaction() as session:
        (row,) = claim(session, world.ids())
        thread = Thread(target=pause)
        thread.start()
        wait_for(lambda: world.query("SELECT count(*) FROM history") == [(1,)], "the pause is committed")
        assert not returned.wait(0.5)
        begin(session, [Attempt(row.id, row.fence, row.recipient, "{}", 0.0)], 60)
    thread.join(GENEROUS)
    assert returned.is_set()
    assert found == [Paused(True, 1 if pauser.scope == "enrollment" else None)]
    with world.database.transaction() as session:
        assert not still_good(session, [(row.id, row.fence)])


def test_a_pause_does_not_wait_for_those_who_enroll_and_read(world: World, pauser: Pauser) -> None:
    world.enroll()
    apart = Database(world.database.url, name="enrolling")
    with apart.transaction() as session:
        session.execute(
            "INSERT INTO outbox (workspace_id, enrollment_id, step_order, step_key, type, status)"
            " VALUES (1, 999, 1, 'x', 'sms', 'waiting')"
        )
        session.execute("SELECT count(*) FROM outbox")
        assert pauser.pause().changed
    apart.close()


def test_a_resume_that_was_interrupted_goes_on_and_moves_nobody_twice(world: World, wakeups: Wakeups) -> None:
    world.enroll(count=5)
    everything = Pauser(world, wakeups, "workspace")
    everything.pause()
    jump(world, 2)
    (hold_id,) = [row[0] for row in world.query("SELECT id FROM holds")]
    with world.database.transaction() as session:
        one_by_one(session, 1)
        assert release(session, hold_id, keep_times=False, limit=3).enrollments == 3
    assert len(world.begin(world.ids("step_order = 1"))) == 3  # those that are released go on
    jump(world, 1)
    everything.pause()  # once more, before it was finished
    assert everything.world.query("SELECT count(*) FROM holds") == [(2,)]
    jump(world, 1)
    everything.resume(keep_times=True)  # of the second pause; the choice that the first was begun with stands
    assert days(world, 1) == [2, 4, 5]  # the second step had fallen due on the third day
    assert days(world, 5) == [4, 5, 6]  # three days for the first pause, and then the first step is due at once
    assert world.query("SELECT count(*) FROM holds") == [(0,)]


def test_an_enrollment_whose_last_step_has_ended_meanwhile_is_complete_when_resumed(
    world: World, wakeups: Wakeups
) -> None:
    world.enroll()
    pause_enrollment(world.database, WHO, 1)
    world.execute("UPDATE outbox SET status = 'skipped', reason = 'test'")
    assert resume_one(world.database, wakeups, WHO, 1).status == "completed"
    with pytest.raises(InvalidInput, match="completed"):
        pause_enrollment(world.database, WHO, 1)


def test_what_was_moved_while_dispatch_was_shut_says_so(world: World, wakeups: Wakeups) -> None:
    """If the database proves to be an older copy, it may have gone out at the time it had."""
    world.enroll()
    pause_enrollment(world.database, WHO, 1)
    jump(world, 1)
    world.execute("UPDATE dispatch SET open_until = now()")
    resume_one(world.database, wakeups, WHO, 1)
    assert {reason for (reason,) in world.rows("reason")} == {"moved behind a late step while dispatch was shut"}


def test_who_did_it_and_why_is_kept(world: World, pauser: Pauser) -> None:
    world.enroll()
    pauser.pause()
    pauser.resume(keep_times=True)
    made = world.query("SELECT made_by, became, reason FROM history ORDER BY at")
    became = "active" if pauser.scope == "enrollment" else "resumed"
    assert made == [("ann", "paused", "holidays"), ("ann", became, "holidays; the clock ran on")]


def test_what_is_not_there_can_not_be_paused(world: World, wakeups: Wakeups) -> None:
    with pytest.raises(NotFound, match="no enrollment 7"):
        pause_enrollment(world.database, WHO, 7)
    with pytest.raises(NotFound, match="no enrollment -1"):
        resume_one(world.database, wakeups, WHO, -1)
    with pytest.raises(NotFound, match="unknown sequence"):
        pause_all(world.database, WHO, "nothing")


def test_a_pause_touches_no_row_however_many_are_enrolled(world: World, wakeups: Wakeups) -> None:
    world.enroll(count=20)
    before = world.query(
        "SELECT id, xmin::text FROM outbox UNION ALL SELECT id, xmin::text FROM enrollments ORDER BY 1, 2"
    )
    pause_all(world.database, WHO, None)
    pause_all(world.database, WHO, "follow-up")
    after: list[Any] = world.query(
        "SELECT id, xmin::text FROM outbox UNION ALL SELECT id, xmin::text FROM enrollments ORDER BY 1, 2"
    )
    assert after == before


def test_what_is_due_in_a_paused_workspace_is_not_looked_at(world: World, wakeups: Wakeups) -> None:
    world.execute("INSERT INTO workspaces (key, name) VALUES ('other', 'Other')")
    ((other,),) = world.query("SELECT id FROM workspaces WHERE key = 'other'")
    world.publish(workspace_id=other)
    world.enroll()
    world.enroll(workspace="other")
    everything = Pauser(world, wakeups, "workspace")
    Pauser(world, wakeups, "sequence").pause()

    def looked_at() -> list[int]:
        with world.database.transaction() as session:
            return due_workspaces(session, sequence_now(session))

    assert looked_at() == [1, other]
    everything.pause()
    assert looked_at() == [other]
    everything.resume()
    with world.database.transaction() as session:
        assert due_workspaces(session, sequence_now(session) + timedelta(minutes=1)) == [1, other]


def test_of_two_who_pause_the_same_one_does(world: World) -> None:
    with world.database.transaction() as session:
        assert hold(session, 1, None, "ann", None)
        assert not hold(session, 1, None, "bob", None)
