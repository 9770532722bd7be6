"""The oldest due row: one that may go, found at a bounded price."""

from typing import Any

import pytest
from world import World

from engine.outbox.counts import BEHIND_THOSE, LOOKED_AT, OLDEST_DUE, OldestDue, oldest_due
from producers.operator import Operator
from producers.pausing import pause_all

WHO = Operator("default", "ann")
OTHER = "sequence: other\nsteps: [{key: only, type: sms, body: Hi}]"

#: Many contacts in a sequence, overdue by an hour and more, one a second.
MANY = """
WITH many AS (
    INSERT INTO enrollments (workspace_id, sequence_id, version_id, contact_id, reentry, enrolled_at)
    SELECT e.workspace_id, e.sequence_id, e.version_id, e.contact_id, 'always', now()
    FROM generate_series(1, %s), (SELECT * FROM enrollments ORDER BY id LIMIT 1) AS e RETURNING id
)
INSERT INTO outbox (workspace_id, enrollment_id, step_order, step_key, type, status, due_at)
SELECT 1, id, 1, 'first', 'sms', 'pending', now() - interval '1 hour' - id * interval '1 second' FROM many
"""

LATE = """
UPDATE outbox SET due_at = now() - interval '10 minutes' WHERE step_key = 'only'
"""


def oldest(world: World, workspace: int | None = None) -> OldestDue | None:
    with world.database.transaction() as session:
        return oldest_due(session, workspace)


def epoch_of(world: World, key: str) -> float:
    return float(world.query("SELECT date_part('epoch', due_at) FROM outbox WHERE step_key = %s", key)[0][0])


def test_it_is_the_first_that_may_go(world: World) -> None:
    world.enroll(count=2)
    world.publish(OTHER)
    world.enroll("other")
    world.execute(LATE)
    found = oldest(world)
    assert found is not None
    assert found.due_at == epoch_of(world, "only")
    pause_all(world.database, WHO, "other")
    behind = oldest(world)
    assert behind is not None
    assert behind.due_at > found.due_at
    pause_all(world.database, WHO, None)
    assert oldest(world) is None


def test_what_waits_for_a_retry_is_not_due(world: World) -> None:
    world.enroll()
    world.execute("UPDATE outbox SET retry_at = now() + interval '1 hour' WHERE step_order = 1")
    assert oldest(world) is None
    world.execute("UPDATE outbox SET retry_at = now() - interval '1 s' WHERE step_order = 1")
    found = oldest(world)
    assert found is not None
    assert found.retry_at is not None


def test_it_is_found_behind_the_rows_of_a_paused_sequence(world: World) -> None:
    world.enroll()
    world.execute(MANY, 3 * LOOKED_AT)
    world.publish(OTHER)
    world.enroll("other")
    world.execute(LATE)
    pause_all(world.database, WHO, "follow-up")
    found = oldest(world)
    assert found is not None
    assert found.due_at == epoch_of(world, "only")
    assert oldest(world, 1) == found


@pytest.mark.parametrize("analyzed", [True, False])
def test_a_pause_of_many_rows_costs_no_more_than_one_of_few(world: World, analyzed: bool) -> None:
    world.enroll()
    pause_all(world.database, WHO, "follow-up")
    if not analyzed:
        world.execute("ANALYZE outbox, enrollments")  # of almost empty tables
    touched = []
    for _ in range(2):
        world.execute(MANY, 5 * LOOKED_AT)
        if analyzed:
            world.execute("ANALYZE outbox, enrollments")
        touched.append(buffers(world))
    assert touched[1] < 1.3 * touched[0]
    assert touched[1] < 15 * 2_700  # rows that are looked at


def buffers(world: World) -> int:
    """The buffers that both statements touch."""
    total = 0
    with world.database.transaction() as session:
        for statement, asked in ((OLDEST_DUE, {"workspace": 1}), (BEHIND_THOSE, {"workspaces": [1]})):
            explain: Any = session.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement, asked).fetchall()
            top = explain[0][0][0]["Plan"]
            total += top["Shared Hit Blocks"] + top["Shared Read Blocks"]
    return total
