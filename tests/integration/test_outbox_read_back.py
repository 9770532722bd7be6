"""What became of a claim whose COMMIT got no reply is read back: only what is under this very claim's lease is held."""

from typing import Any

import pytest

from engine.outbox.claim import Claimed, claim
from engine.outbox.read_back import still_held


def read_back(world: Any, rows: list[Claimed]) -> list[Claimed]:
    """Ask in a transaction of its own, as a worker does."""
    with world.database.transaction() as session:
        return still_held(session, rows)


def lost_claim(world: Any) -> list[Claimed]:
    """A claim of all that is due, which was not committed."""
    with pytest.raises(ZeroDivisionError), world.database.transaction() as session:
        rows = claim(session, world.ids(), 60)
        raise ZeroDivisionError
    return rows


def test_what_was_committed_is_held(world: Any) -> None:
    world.enroll(count=3)
    rows = world.claim(world.ids())
    assert read_back(world, rows) == rows


def test_what_was_not_committed_is_not(world: Any) -> None:
    world.enroll(count=3)
    rows = lost_claim(world)
    assert len(rows) == 3
    assert read_back(world, rows) == []


def test_what_another_has_claimed_under_the_same_fence_is_not(world: Any) -> None:
    world.enroll()
    mine = lost_claim(world)
    theirs = world.claim(world.ids())
    assert [row.fence for row in mine] == [row.fence for row in theirs]
    assert read_back(world, mine) == []
    assert read_back(world, theirs) == theirs


def test_what_was_taken_away_since_is_not(world: Any) -> None:
    world.enroll(count=2)
    rows = world.claim(world.ids())
    world.execute(
        "UPDATE outbox SET status = 'pending', lease_until = NULL, fence = fence + 1 WHERE id = %s", rows[0].id
    )
    assert read_back(world, rows) == rows[1:]


def test_what_is_still_being_committed_is_not_waited_for(world: Any) -> None:
    """It may be, or never: nobody can tell, so it is left to the end of its lease."""
    world.enroll()
    with world.database.transaction() as session:
        rows = claim(session, world.ids(), 60)
        assert read_back(world, rows) == []
    assert read_back(world, rows) == rows
