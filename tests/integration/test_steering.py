"""Cancel, skip, skip to a step, run now."""

from collections.abc import Iterator
from datetime import timedelta
from threading import Thread

import pytest
from stage_site import GENEROUS, wait_for
from world import World

from engine.clock import advance
from engine.errors import InvalidInput, NotFound, UnderWay
from engine.outbox.begin import Attempt, begin
from engine.outbox.claim import claim
from engine.outbox.settle import Ending, settle
from engine.wakeups import Wakeups
from producers.operator import Operator
from producers.pausing import pause_all, pause_enrollment
from producers.steering import Steered, cancel, run_now, skip
from schema.states import RowStatus

WHO = Operator("default", "ann", "they rang")


@pytest.fixture
def wakeups(redis_url: str) -> Iterator[Wakeups]:
    wakeups = Wakeups(redis_url)
    yield wakeups
    wakeups.close()


def jump(world: World, days: float) -> None:
    with world.database.transaction() as session:
        advance(session, timedelta(days=days))


def days(world: World) -> list[float]:
    """When the rows are due, in days from now."""
    due = "SELECT round(extract(epoch FROM due_at - sequence_now()) / 86400, 2)::float8 FROM outbox ORDER BY step_order"
    return [float(day) + 0.0 for (day,) in world.query(due)]


def history(world: World) -> list[tuple[object, ...]]:
    return world.query(
        "SELECT h.made_by, o.step_key, h.was, h.became, h.reason"
        " FROM history h LEFT JOIN outbox o ON o.id = h.outbox_id ORDER BY h.at"
    )


def test_a_cancelled_enrollment_has_ended(world: World) -> None:
    world.enroll()
    assert cancel(world.database, WHO, 1) == Steered(True, ["first", "second", "third"], 0)
    assert cancel(world.database, WHO, 1) == Steered(False, [], 0)
    assert world.rows("status, reason") == [("cancelled", "operator")] * 3
    assert world.query("SELECT status, exit_reason FROM enrollments") == [("cancelled", "operator")]
    assert history(world) == [("ann", None, "active", "cancelled", "they rang")]


def test_a_paused_enrollment_can_be_cancelled_and_a_completed_one_not(world: World) -> None:
    world.enroll()
    pause_enrollment(world.database, WHO, 1)
    assert cancel(world.database, WHO, 1).changed
    world.enroll()
    world.execute("UPDATE enrollments SET status = 'completed', completed_at = now() WHERE id = 2")
    with pytest.raises(InvalidInput, match="is completed"):
        cancel(world.database, WHO, 2)


def test_what_is_on_its_way_is_told(world: World, wakeups: Wakeups) -> None:
    world.enroll()
    (row,) = world.begin(world.ids())
    with pytest.raises(UnderWay, match="can't be called back"):
        skip(world.database, wakeups, WHO, 1, "first")
    with pytest.raises(UnderWay, match="can't be called back"):
        run_now(world.database, wakeups, WHO, 1)
    with pytest.raises(UnderWay, match="can't be called back"):
        skip(world.database, wakeups, WHO, 1, "third", to=True)
    assert cancel(world.database, WHO, 1) == Steered(True, ["second", "third"], 1)
    with world.database.transaction() as session:
        settle(session, [Ending(row.id, row.fence, "sms", RowStatus.SENT, outcome="accepted", provider_id="SM1")])
    assert world.statuses() == ["sent", "cancelled", "cancelled"]


@pytest.mark.parametrize("command", ["cancel", "skip"])
def test_it_waits_for_what_is_being_begun(world: World, wakeups: Wakeups, command: str) -> None:
    world.enroll()
    found: list[object] = []

    def steer() -> None:
        try:
            found.append(
                cancel(world.database, WHO, 1)
                if command == "cancel"
                else skip(world.database, wakeups, WHO, 1, "first")
            )
        except UnderWay as error:
            found.append(error)

    with world.database.transaction() as session:
        (row,) = claim(session, world.ids())
        thread = Thread(target=steer)
        thread.start()
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        wait_for(lambda: world.query(waiting) == [(1,)], "it waits")
        begin(session, [Attempt(row.id, row.fence, row.recipient, "{}", 0.0)], 60)
    thread.join(GENEROUS)
    if command == "cancel":
        assert found == [Steered(True, ["second", "third"], 1)]
    else:
        assert isinstance(found[0], UnderWay)
    assert world.statuses()[0] == "sending"


def test_the_step_behind_a_skipped_one_counts_from_the_one_before_it(world: World, wakeups: Wakeups) -> None:
    world.enroll()
    assert skip(world.database, wakeups, WHO, 1, "second") == Steered(True, ["second"], 0)
    assert world.rows("status, reason") == [
        ("pending", None),
        ("skipped", "skipped by an operator"),
        ("pending", None),
    ]
    assert days(world) == [0, 1, 1]
    assert history(world) == [("ann", "second", "pending", "skipped", "they rang")]
    with pytest.raises(InvalidInput, match="is skipped"):
        skip(world.database, wakeups, WHO, 1, "second")
    with pytest.raises(NotFound, match="unknown step 'secont'"):
        skip(world.database, wakeups, WHO, 1, "secont")


def test_when_its_last_step_is_skipped_the_enrollment_is_complete(world: World, wakeups: Wakeups) -> None:
    world.enroll()
    assert skip(world.database, wakeups, WHO, 1, "third", to=True).steps == ["first", "second"]
    assert world.statuses() == ["skipped", "skipped", "pending"]
    assert skip(world.database, wakeups, WHO, 1, "third", to=True) == Steered(False, [], 0)
    skip(world.database, wakeups, WHO, 1, "third")
    assert world.query("SELECT status FROM enrollments") == [("completed",)]
    with pytest.raises(InvalidInput, match="nothing of it is still to come"):
        skip(world.database, wakeups, WHO, 1, "third")
    with pytest.raises(InvalidInput, match="nothing of it is still to come"):
        run_now(world.database, wakeups, WHO, 1)


def test_what_is_skipped_late_moves_those_behind_it(world: World, wakeups: Wakeups) -> None:
    """They keep their distance (P5)."""
    world.enroll()
    world.execute("UPDATE outbox SET due_at = due_at - interval '6 hours'")
    skip(world.database, wakeups, WHO, 1, "first")
    assert days(world)[1:] == [1, 2]


def test_an_email_that_may_have_been_accepted_is_not_said_to_be_skipped(world: World, wakeups: Wakeups) -> None:
    world.publish("sequence: mail\nsteps: [{key: only, type: email, subject: Hi, text: Hello}]")
    world.enroll("mail")
    (row,) = world.begin(world.ids())
    with world.database.transaction() as session:
        settle(session, [Ending(row.id, row.fence, "email", RowStatus.UNKNOWN, "silence", outcome="unanswered")])
    with pytest.raises(InvalidInput, match=f"cadenza review {row.id} skip"):
        skip(world.database, wakeups, WHO, 1, "only")
    world.execute("UPDATE outbox SET status = 'pending', fence = fence + 1")
    skip(world.database, wakeups, WHO, 1, "only")
    ((status, reason),) = world.rows("status, reason")
    assert (status, "may have been accepted" in reason) == ("review", True)


def test_the_next_step_goes_now_and_the_others_keep_their_distance_to_it(world: World, wakeups: Wakeups) -> None:
    world.enroll()
    skip(world.database, wakeups, WHO, 1, "first")
    assert run_now(world.database, wakeups, WHO, 1) == Steered(True, ["second"], 0)
    assert days(world)[1:] == [0, 1]
    assert history(world)[-1] == ("ann", "second", "pending", "due now", "they rang")
    assert len(world.begin(world.ids("step_key = 'second'"))) == 1


def test_a_back_off_is_not_waited_for_and_what_is_late_stays_late(world: World, wakeups: Wakeups) -> None:
    world.enroll()
    world.execute("UPDATE outbox SET retry_at = now() + interval '10 minutes' WHERE step_order = 1")
    jump(world, 0.5)
    run_now(world.database, wakeups, WHO, 1)
    assert days(world) == [-0.5, 0.5, 1.5]
    assert len(world.begin(world.ids("step_order = 1"))) == 1


@pytest.mark.parametrize("scope", ["enrollment", "sequence"])
def test_nothing_runs_now_that_is_paused(world: World, wakeups: Wakeups, scope: str) -> None:
    world.enroll()
    if scope == "enrollment":
        pause_enrollment(world.database, WHO, 1)
    else:
        pause_all(world.database, WHO, "follow-up")
    with pytest.raises(InvalidInput, match="is paused"):
        run_now(world.database, wakeups, WHO, 1)
    assert skip(world.database, wakeups, WHO, 1, "first").changed


def test_nobody_steers_enrollments_of_another_workspace(world: World, wakeups: Wakeups) -> None:
    world.execute("INSERT INTO workspaces (key, name) VALUES ('other', 'Other')")
    world.enroll()
    stranger = Operator("other", "eve")
    for steer in (
        lambda: cancel(world.database, stranger, 1),
        lambda: skip(world.database, wakeups, stranger, 1, "first"),
        lambda: run_now(world.database, wakeups, stranger, 1),
        lambda: pause_enrollment(world.database, stranger, 1),
    ):
        with pytest.raises(NotFound, match="no enrollment 1 in this workspace"):
            steer()
    assert world.statuses() == ["pending"] * 3
