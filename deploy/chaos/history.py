"""The history of a storm: every move of every row, written down by the database itself, to be looked at afterwards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from engine.clock import read_clock
from engine.database import Database
from schema.states import BLOCKING

#: Of a database of the storm's own: it is not one of Cadenza's tables.
KEEP: Final = """
CREATE TABLE chaos_history (
    row_id bigint NOT NULL, fence integer NOT NULL, status text NOT NULL, reason text,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE FUNCTION chaos_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.chaos_history (row_id, fence, status, reason) VALUES (NEW.id, NEW.fence, NEW.status, NEW.reason);
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_note AFTER INSERT OR UPDATE OF status ON outbox FOR EACH ROW EXECUTE FUNCTION chaos_note();
"""

READ: Final = """
SELECT row_id, fence, status, reason, extract(epoch FROM at)::float8 FROM chaos_history ORDER BY row_id, fence
"""

ROWS: Final = """
SELECT o.id, o.enrollment_id, extract(epoch FROM o.due_at)::float8 FROM outbox o ORDER BY o.enrollment_id, o.step_order
"""


@dataclass(frozen=True, slots=True)
class Move:
    """A row came to a status. Epoch seconds of real time."""

    fence: int
    status: str
    reason: str | None
    at: float


@dataclass(frozen=True, slots=True)
class Wait:
    """From when a row could have gone out, until it was settled. Epoch seconds of real time."""

    row: int
    due: float
    settled: float


def keep_history(database: Database) -> None:
    """From here on every move is written down."""
    with database.transaction() as session:
        session.execute(KEEP)


def read_moves(database: Database) -> Mapping[int, Sequence[Move]]:
    """The moves of every row, the oldest first."""
    moves: dict[int, list[Move]] = {}
    with database.transaction() as session:
        for row, *move in session.execute(READ):
            moves.setdefault(row, []).append(Move(*move))
    return moves


def read_waits(database: Database) -> Sequence[Wait]:
    """How long each row waited that was settled: from when it was due and the one before it settled."""
    moves = read_moves(database)
    with database.transaction() as session:
        timeline = read_clock(session).timeline
        rows = session.execute(ROWS).fetchall()
    waits: list[Wait] = []
    before: tuple[int, float] | None = None
    for row, enrollment, due_at in rows:
        settled = next((move.at for move in moves[row] if move.status not in BLOCKING), None)
        if settled is None:
            continue
        due = max(timeline.reached(due_at), moves[row][0].at)
        if before is not None and before[0] == enrollment:
            due = max(due, before[1])
        before = enrollment, settled
        waits.append(Wait(row, due, settled))
    return waits
