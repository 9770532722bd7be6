"""Evidence: that a provider speaks of a message proves that it took it."""

from typing import Any

import pytest
from doubt import unknown_row

from engine.clock import SequenceClock
from engine.outbox.evidence import Evidence, accept_evidence
from engine.outbox.settle import Ending, settle
from schema.states import RowStatus


def prove(world: Any, row_id: int, fence: int, sid: str = "SM1", workspace_id: int = 1) -> list[Any]:
    """A callback's evidence."""
    with world.database.transaction() as session:
        evidence = Evidence(workspace_id, row_id, fence, sid)
        return accept_evidence(session, SequenceClock(world.database), evidence)


def test_a_callback_settles_a_row_in_doubt_and_wakes_the_next(world: Any) -> None:
    row_id, fence = unknown_row(world)
    wakeups = prove(world, row_id, fence)
    assert world.rows("status, provider_id", f"id = {row_id}") == [("sent", "SM1")]
    assert [ids for _, ids in wakeups] == [[world.ids("step_order = 2")[0]]]
    assert world.query("SELECT outcome, provider_id FROM attempts") == [("accepted", "SM1")]


def test_a_callback_may_come_before_the_response(world: Any) -> None:
    world.enroll()
    (row,) = world.claim(world.ids())
    world.begin([row])
    prove(world, row.id, row.fence)
    assert world.rows("status, provider_id", f"id = {row.id}") == [("sent", "SM1")]


def test_a_repeated_callback_changes_nothing(world: Any) -> None:
    row_id, fence = unknown_row(world)
    prove(world, row_id, fence)
    before = world.query("SELECT * FROM outbox")
    assert prove(world, row_id, fence) == []
    assert world.query("SELECT * FROM outbox") == before


def test_a_callback_for_another_workspace_or_attempt_changes_nothing(world: Any) -> None:
    row_id, fence = unknown_row(world)
    before = world.query("SELECT * FROM outbox")
    assert prove(world, row_id, fence, workspace_id=2) == []
    assert prove(world, row_id, fence + 5) == []
    assert world.query("SELECT * FROM outbox") == before


@pytest.mark.parametrize("status", ["cancelled", "skipped", "failed"])
def test_what_was_accepted_is_sent_though_it_was_given_up(world: Any, status: str) -> None:
    row_id, fence = unknown_row(world)
    world.execute("UPDATE outbox SET status = %s, reason = 'given up' WHERE id = %s", status, row_id)
    prove(world, row_id, fence)
    assert world.rows("status, provider_id", f"id = {row_id}") == [("sent", "SM1")]


def test_a_callback_stops_the_next_attempt_before_it_is_begun(world: Any) -> None:
    row_id, fence = unknown_row(world)
    world.execute("UPDATE outbox SET status = 'pending', fence = fence + 1 WHERE id = %s", row_id)
    (row,) = world.claim([row_id])
    prove(world, row_id, fence)
    assert world.begin([row]) == set()
    assert world.rows("status, provider_id", f"id = {row_id}") == [("sent", "SM1")]


def test_a_callback_settles_a_row_while_the_next_attempt_is_on_its_way(world: Any) -> None:
    """That one can't be called back, but whatever it hears, the row is not sent a third time."""
    row_id, fence = unknown_row(world)
    world.execute("UPDATE outbox SET status = 'pending', fence = fence + 1 WHERE id = %s", row_id)
    (row,) = world.claim([row_id])
    assert world.begin([row]) == {row_id}
    prove(world, row_id, fence)
    with world.database.transaction() as session:
        assert settle(session, [Ending(row_id, row.fence, "sms", RowStatus.PENDING, outcome="deferred")]) == []
    assert world.rows("status, provider_id", f"id = {row_id}") == [("sent", "SM1")]
    assert world.query("SELECT outcome, provider_id FROM attempts ORDER BY fence") == [
        ("accepted", "SM1"),
        ("deferred", None),
    ]


def test_evidence_of_a_second_acceptance_is_kept_as_a_duplicate(world: Any) -> None:
    row_id, fence = unknown_row(world)
    prove(world, row_id, fence)
    prove(world, row_id, fence, "SM2")
    assert world.rows("status, provider_id", f"id = {row_id}") == [("sent", "SM1")]
    assert world.query("SELECT provider_id FROM attempts") == [("SM1",)]
