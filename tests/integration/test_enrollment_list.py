"""Enrollments in lists: each once, page by page, by indexes."""

import pytest
from world import World

from engine.outbox.listing import Listed, page, page_query

MANY = """
INSERT INTO enrollments (workspace_id, sequence_id, version_id, contact_id, reentry, enrolled_at, status, completed_at)
SELECT 1, 99, 1, number, 'always', now(), 'completed', now() FROM generate_series(1, 20000) AS number;
INSERT INTO outbox (workspace_id, enrollment_id, step_order, step_key, type, status, sent_at)
SELECT 1, id, 1, 'x', 'sms', 'sent', now() FROM enrollments WHERE sequence_id = 99;
ANALYZE
"""


def listed(world: World, sequence: int | None = None, status: str | None = None, after: int = 0) -> list[Listed]:
    with world.database.transaction() as session:
        return page(session, 1, sequence, status, after, 2)


def test_pages_follow_each_other(world: World) -> None:
    world.publish("sequence: beside\nsteps: [{key: only, type: sms, body: Hi}]")
    world.enroll(count=3, first_name="Ada")
    world.enroll("beside")
    world.execute("INSERT INTO workspaces (key, name) VALUES ('other', 'Other')")
    first = listed(world)
    assert [one.enrollment for one in first] == [1, 2]
    assert [one.enrollment for one in listed(world, after=2)] == [3, 4]
    assert listed(world, after=4) == []
    assert first[0].name == f"Follow up - Ada - {first[0].enrolled_at:%Y-%m-%d}"
    assert (first[0].step, first[0].step_status, first[0].version) == ("first", "pending", 1)


def test_a_sequence_and_a_status_are_picked(world: World) -> None:
    world.publish("sequence: beside\nsteps: [{key: only, type: sms, body: Hi}]")
    world.enroll(count=2)
    world.enroll("beside")
    world.execute(
        "UPDATE enrollments SET status = 'cancelled', cancelled_at = now(), exit_reason = 'goal' WHERE id = 1"
    )
    ((follow_up,), (beside,)) = world.query("SELECT id FROM sequences ORDER BY id")
    assert [one.enrollment for one in listed(world, follow_up)] == [1, 2]
    assert [one.enrollment for one in listed(world, beside)] == [3]
    assert [one.enrollment for one in listed(world, status="active")] == [2, 3]
    assert [one.enrollment for one in listed(world, follow_up, "active")] == [2]
    (left,) = listed(world, status="cancelled")
    assert (left.exit_reason, left.enrollment) == ("goal", 1)
    assert "ended_at" in left.document()


@pytest.mark.parametrize(
    ("sequence", "status", "found"),
    [(None, "active", 2), (None, "cancelled", 1), (1, None, 3), (1, "cancelled", 1), (1, "paused", 0)],
)
def test_a_page_reads_no_enrollments_but_its_own(
    world: World, sequence: int | None, status: str | None, found: int
) -> None:
    """Behind 20,000 of another sequence that have ended; pages of 8 kB, all indexes and joins included."""
    for statement in MANY.split(";"):
        world.execute(statement)
    world.enroll(count=3)
    world.execute(
        "UPDATE enrollments SET status = 'cancelled', cancelled_at = now(), exit_reason = 'goal'"
        " WHERE id = (SELECT max(id) FROM enrollments)"
    )
    assert len(listed(world, sequence, status)[:3]) == min(found, 2)
    query = page_query(sequence=sequence is not None)
    statuses = ["active", "paused", "completed", "cancelled"] if status is None else [status]
    asked = {"workspace": 1, "sequence": sequence, "statuses": statuses, "after": 0, "limit": 2}
    with world.database.transaction() as session:
        explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}"
        row = session.execute(explain.encode(), asked).fetchone()
    assert row is not None
    top = row[0][0]["Plan"]
    assert top["Shared Hit Blocks"] + top["Shared Read Blocks"] < 100
