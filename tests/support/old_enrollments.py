"""Enrollments that were sent messages, and ended long ago."""

from collections.abc import Sequence

from world import World

from engine.outbox.settle import Ending, settle
from schema.states import RowStatus

#: Everything of these enrollments happened 30 months ago; but for those that run, they ended then.
LONG_AGO = """
UPDATE enrollments SET created_at = created_at - interval '30 months', enrolled_at = enrolled_at - interval '30 months',
    completed_at = completed_at - interval '30 months', cancelled_at = cancelled_at - interval '30 months'
WHERE id = ANY(%s);
UPDATE attempt_records SET started_at = started_at - interval '30 months', ended_at = ended_at - interval '30 months'
WHERE outbox_id IN (SELECT id FROM outbox WHERE enrollment_id = ANY(%s))
"""


def send(world: World, enrollments: Sequence[int], status: RowStatus = RowStatus.SENT) -> None:
    """Send the first step of each, or let it end otherwise."""
    ids = [row for one in enrollments for row in world.ids(f"enrollment_id = {one} AND step_order = 1")]
    outcome = "unanswered" if status is RowStatus.UNKNOWN else "accepted"
    endings = [
        Ending(row.id, row.fence, "sms", status, outcome=outcome, provider_id=f"SM{row.id}") for row in world.begin(ids)
    ]
    with world.database.transaction() as session:
        assert len(settle(session, endings)) == len(ids)


def end(world: World, enrollments: Sequence[int]) -> None:
    world.execute(
        "UPDATE enrollments SET status = 'cancelled', cancelled_at = now(), exit_reason = 'replied' WHERE id = ANY(%s)",
        list(enrollments),
    )
    world.execute(
        "UPDATE outbox SET status = 'cancelled', reason = 'replied'"
        " WHERE enrollment_id = ANY(%s) AND status IN ('pending', 'waiting')",
        list(enrollments),
    )


def long_ago(world: World, *enrollments: int) -> None:
    for statement in LONG_AGO.split(";"):
        world.execute(statement, list(enrollments))
