"""Evidence settles a row in whatever hands it is, and is never forgotten."""

from threading import Thread
from typing import Any

import pytest
from stage_site import GENEROUS, Site, wait_for
from world import World

from engine.clock import SequenceClock
from engine.database import Database
from engine.metrics import DUPLICATES_DETECTED
from engine.outbox.begin import Attempt, begin
from engine.outbox.claim import Claimed, claim
from engine.outbox.dispatch import read_pulse
from engine.outbox.evidence import Evidence, accept_evidence
from engine.outbox.settle import Ending
from engine.wakeups import Due, Wakeups
from schema.states import AttemptOutcome, RowStatus
from workers.delivery.settler import Settler
from workers.heartbeat import Heartbeat

LOCKS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def hand_over(world: World) -> Claimed:
    """Claim the first step of the only enrollment, and begin its attempt."""
    (row,) = world.begin(world.ids("step_order = 1"))
    return row


def lose_sight(world: World, row: Claimed, status: str = "unknown") -> None:
    """What the sweeper and the reconciler do with a row whose worker does not answer."""
    world.execute("UPDATE outbox SET status = %s, lease_until = NULL, fence = fence + 1 WHERE id = %s", status, row.id)
    world.execute("UPDATE attempt_records SET outcome = 'unanswered', ended_at = now() WHERE fence = %s", row.fence)


def prove(world: World, row_id: int, fence: int, sid: str = "SM1") -> list[Due]:
    """A callback."""
    with world.database.transaction() as session:
        return accept_evidence(session, SequenceClock(world.database), Evidence(1, row_id, fence, sid))


def come_late(world: World, redis_url: str, row: Claimed, sid: str = "SM1") -> None:
    """The worker gets its answer after all."""
    settler = Settler(world.database, Wakeups(redis_url), SequenceClock(world.database))
    settler.settle([Ending(row.id, row.fence, "sms", RowStatus.SENT, outcome="accepted", provider_id=sid)])


def first(world: World) -> tuple[Any, ...]:
    return world.rows("status, provider_id", "step_order = 1")[0]


def duplicates() -> float:
    value: float = DUPLICATES_DETECTED._value.get()
    return value


@pytest.mark.parametrize("status", ["unknown", "review", "pending"])
def test_the_word_of_a_late_worker_settles_the_row(world: World, redis_url: str, status: str) -> None:
    world.enroll()
    row = hand_over(world)
    lose_sight(world, row, status)
    come_late(world, redis_url, row)
    assert first(world) == ("sent", "SM1")
    assert world.query("SELECT outcome, provider_id FROM attempts") == [("accepted", "SM1")]


def test_an_answer_after_the_callback_is_no_duplicate(world: World, redis_url: str) -> None:
    world.enroll()
    row = hand_over(world)
    prove(world, row.id, row.fence)
    before = duplicates()
    come_late(world, redis_url, row)
    assert first(world) == ("sent", "SM1")
    assert duplicates() == before


def test_a_late_worker_whose_row_another_has_sent_is_a_duplicate(world: World, redis_url: str) -> None:
    world.enroll()
    late = hand_over(world)
    lose_sight(world, late, "pending")
    come_late(world, redis_url, hand_over(world), "SM2")
    before = duplicates()
    come_late(world, redis_url, late)
    assert first(world) == ("sent", "SM2")
    assert duplicates() == before + 1
    assert world.query("SELECT provider_id FROM attempts ORDER BY fence") == [("SM1",), ("SM2",)]


def test_a_row_that_another_worker_holds_without_an_attempt_is_settled(world: World, redis_url: str) -> None:
    """It was to be skipped."""
    world.enroll()
    row = hand_over(world)
    lose_sight(world, row, "pending")
    (again,) = world.claim([row.id])
    prove(world, row.id, row.fence)
    assert first(world) == ("sent", "SM1")
    settler = Settler(world.database, Wakeups(redis_url), SequenceClock(world.database))
    settler.settle([Ending(again.id, again.fence, "sms", RowStatus.SKIPPED, "too late")])
    assert first(world) == ("sent", "SM1")


def test_what_is_proven_is_not_begun_again(world: World) -> None:
    """The callback comes first."""
    world.enroll()
    row = hand_over(world)
    lose_sight(world, row, "pending")
    with world.database.transaction() as session:
        accept_evidence(session, SequenceClock(world.database), Evidence(1, row.id, row.fence, "SM1"))
        assert world.begin([row.id]) == []
    assert world.begin([row.id]) == []
    assert first(world) == ("sent", "SM1")


def test_what_is_being_begun_again_is_waited_for(world: World, database_url: str) -> None:
    """So that evidence and a second attempt never miss each other."""
    world.enroll()
    row = hand_over(world)
    lose_sight(world, row, "pending")
    before = duplicates()
    other = Database(database_url, name="other")
    with other.transaction() as session:
        (again,) = claim(session, [row.id])
        begin(session, [Attempt(again.id, again.fence, "", "{}", 0.0)], 60)
        thread = Thread(target=prove, args=(world, row.id, row.fence))
        thread.start()
        wait_for(lambda: session.execute(LOCKS).fetchone() == (1,), "the evidence waits")
    thread.join(GENEROUS)
    other.close()
    assert first(world) == ("sending", None)
    assert duplicates() == before + 1


@pytest.mark.parametrize("status", ["failed", "skipped", "cancelled"])
def test_what_was_accepted_is_sent_though_it_was_given_up(world: World, status: str) -> None:
    world.enroll()
    row = hand_over(world)
    lose_sight(world, row)
    world.execute("UPDATE outbox SET status = %s, reason = 'given up' WHERE id = %s", status, row.id)
    prove(world, row.id, row.fence)
    assert first(world) == ("sent", "SM1")


def test_a_worker_that_tells_of_two_claims_of_a_row_together(world: World, redis_url: str) -> None:
    """What it was told late of the first counts, though its second moves the row."""
    world.enroll()
    row = hand_over(world)
    lose_sight(world, row, "pending")
    again = hand_over(world)
    Settler(world.database, Wakeups(redis_url), SequenceClock(world.database)).settle(
        [
            Ending(row.id, row.fence, "sms", RowStatus.SENT, outcome="accepted", provider_id="SM1"),
            Ending(again.id, again.fence, "sms", RowStatus.REVIEW, "too late"),
        ]
    )
    assert first(world) == ("sent", "SM1")


@pytest.mark.parametrize(
    "status", [RowStatus.PENDING, RowStatus.UNKNOWN, RowStatus.FAILED, RowStatus.SKIPPED, RowStatus.REVIEW]
)
def test_a_second_attempt_that_ends_without_an_answer_is_the_last(
    world: World, redis_url: str, status: RowStatus
) -> None:
    """The first was proven meanwhile."""
    world.enroll()
    row = hand_over(world)
    lose_sight(world, row, "pending")
    again = hand_over(world)
    prove(world, row.id, row.fence)
    settler = Settler(world.database, Wakeups(redis_url), SequenceClock(world.database))
    settler.settle([Ending(again.id, again.fence, "sms", status, "no answer", outcome="unanswered")])
    assert first(world) == ("sent", "SM1")


def test_a_row_in_doubt_with_a_proven_attempt_is_not_looked_up(site: Site) -> None:
    world = site.world
    world.enroll()
    row = hand_over(world)
    lose_sight(world, row)
    world.execute("UPDATE attempt_records SET outcome = 'accepted', provider_id = 'SM1'")
    site.sandbox.client.add_fault("sms", "reply", "lookup", status=503)
    with site.working(reconcile_grace_seconds=0, reconcile_interval_seconds=0.2):
        wait_for(lambda: first(world) == ("sent", "SM1"), world.rows)
    assert site.accepted() == {}


def test_what_an_operator_knew_already_is_no_duplicate(world: World) -> None:
    world.enroll()
    row = hand_over(world)
    lose_sight(world, row)
    world.execute("UPDATE outbox SET status = 'sent', sent_at = now() WHERE id = %s", row.id)
    before = duplicates()
    prove(world, row.id, row.fence)
    assert first(world) == ("sent", "SM1")
    assert duplicates() == before


def forget(world: World, status: str) -> tuple[int, int]:
    """A backup of before the hand-over is restored; give the row and the fence of the attempt."""
    world.enroll(count=2)
    (row,) = world.claim(world.ids("step_order = 1")[:1])
    lease = "now() + interval '1 hour'" if status == "sending" else "NULL"
    world.execute(f"UPDATE outbox SET status = %s, lease_until = {lease} WHERE id = %s", status, row.id)
    return row.id, row.fence


@pytest.mark.parametrize("status", ["pending", "sending"])
def test_a_callback_of_a_forgotten_attempt_tells_that_the_database_went_back(
    world: World, redis_url: str, status: str
) -> None:
    """Redis is lost too: only the provider knows more."""
    row_id, fence = forget(world, status)
    heartbeat = Heartbeat(world.database, Wakeups(redis_url), sweep_seconds=1)
    heartbeat.beat()
    prove(world, row_id, fence)
    assert world.rows("status, provider_id", f"id = {row_id}") == [("sent", "SM1")]
    assert world.query("SELECT outcome, provider_id, recipient FROM attempts") == [("accepted", "SM1", "+12025550001")]
    with world.database.transaction() as session:
        assert not read_pulse(session).is_open
    heartbeat.beat()
    assert world.rows("status", f"step_order = 1 AND id <> {row_id}") == [("review",)]
    with world.database.transaction() as session:
        assert read_pulse(session).is_open


@pytest.mark.parametrize("status", ["review", "unknown", "failed"])
def test_a_callback_of_a_forgotten_attempt_is_kept(world: World, status: str) -> None:
    row_id, fence = forget(world, status)
    prove(world, row_id, fence)
    assert world.rows("status, provider_id", f"id = {row_id}") == [("sent", "SM1")]
    assert world.query("SELECT outcome, provider_id FROM attempts") == [(AttemptOutcome.ACCEPTED, "SM1")]
    with world.database.transaction() as session:
        assert read_pulse(session).is_open


def test_a_callback_of_a_forgotten_attempt_tells_nothing_of_another(world: World) -> None:
    world.enroll()
    row = hand_over(world)
    lose_sight(world, row)
    prove(world, row.id, row.fence + 4)
    attempts = world.query("SELECT fence, outcome, provider_id FROM attempts ORDER BY fence")
    assert attempts == [(row.fence, "unanswered", None), (row.fence + 4, "accepted", "SM1")]
    assert first(world) == ("sent", "SM1")


def test_a_callback_for_a_row_that_is_not_there_changes_nothing(world: World) -> None:
    world.enroll()
    assert prove(world, 4_711, 1) == []
    assert world.query("SELECT count(*) FROM attempts") == [(0,)]
