"""Begin attempts: written and committed before the provider is called, so that no hand-over is ever forgotten."""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from engine.arrays import BigInts, Floats, Ints, Texts
from engine.database import Session
from engine.outbox.lookups import checked, look_up

#: Rows that this transaction has claimed; each goes under a lease, and gets an attempt if there is a message for it.
#: The transaction's id tells, later and on another connection, whether it was committed.
BEGIN: Final = f"""
WITH begun AS (
    UPDATE outbox o SET status = 'sending', reason = NULL, fence = attempt.fence,
        lease_until = (SELECT clock_timestamp() + %(lease)b * interval '1 second')
    FROM unnest(
        %(ids)b::bigint[], %(fences)b::int[], %(recipients)b::text[], %(payloads)b::text[], %(latenesses)b::float8[]
    ) AS attempt (id, fence, recipient, payload, lateness)
    WHERE {look_up("o.id", "attempt.id")} AND o.fence = attempt.fence - 1 AND {checked("o.status = 'pending'")}
    RETURNING o.id, o.fence, o.workspace_id, o.type, attempt.recipient, attempt.payload, attempt.lateness
),
written AS (
    INSERT INTO attempt_records (outbox_id, fence, workspace_id, channel, recipient, payload, lateness_seconds)
    SELECT id, fence, workspace_id, type, recipient, payload::jsonb, lateness FROM begun WHERE payload IS NOT NULL
)
SELECT pg_current_xact_id()::text, count(*) FROM begun
"""

#: Null: so long ago that the server has forgotten it, or it is another server.
COMMITTED: Final = "SELECT pg_xact_status(%s::text::xid8)"


class Attempt(NamedTuple):
    """A claimed row, and what is about to be handed over."""

    id: int
    fence: int
    recipient: str | None
    payload: str | None
    """JSON: the message as rendered; None: there is none, and the row is about to be settled without."""
    lateness: float
    """Real seconds since the row fell due."""


def begin(session: Session, attempts: Sequence[Attempt], lease_seconds: float) -> str:
    """Put claimed rows under a lease and write their attempts, in the transaction that has claimed them.

    Gives the transaction's id, for `has_committed`.

    Raises:
        LookupError: this transaction has not claimed all of them.
    """
    row = session.execute(
        BEGIN,
        {
            "ids": BigInts([attempt.id for attempt in attempts]),
            "fences": Ints([attempt.fence for attempt in attempts]),
            "recipients": Texts([attempt.recipient for attempt in attempts]),
            "payloads": Texts([attempt.payload for attempt in attempts]),
            "latenesses": Floats([attempt.lateness for attempt in attempts]),
            "lease": lease_seconds,
        },
        prepare=True,
        binary=True,
    ).fetchone()
    if row is None or row[1] != len(attempts):
        raise LookupError("rows were begun that this transaction has not claimed")
    return str(row[0])


def has_committed(session: Session, transaction: str) -> Literal["committed", "aborted", "in progress"] | None:
    """What became of a transaction whose COMMIT nobody answered; None: the server can't tell."""
    row = session.execute(COMMITTED, (transaction,)).fetchone()
    status: Literal["committed", "aborted", "in progress"] | None = row[0] if row else None
    return status
