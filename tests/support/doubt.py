"""Rows in doubt, made by hand."""

from typing import Any


def unknown_row(world: Any) -> tuple[int, int]:
    """A row in doubt: its id and the fence of its attempt."""
    world.enroll()
    (row,) = world.claim(world.ids())
    world.begin([row])
    world.execute("UPDATE outbox SET status = 'unknown', lease_until = NULL, fence = fence + 1 WHERE id = %s", row.id)
    world.execute("UPDATE attempts SET outcome = 'unanswered', ended_at = now()")
    return row.id, row.fence
