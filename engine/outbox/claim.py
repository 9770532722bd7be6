"""Claim rows that are due: locked for the transaction in which they are begun (engine/outbox/begin.py)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from engine.arrays import BigInts
from engine.database import Session
from engine.outbox.contact_holds import NOT_ON_HOLD
from engine.outbox.hold import NOT_HELD
from engine.outbox.lookups import checked, look_up
from engine.outbox.pause import NOT_PAUSED
from engine.outbox.suppressing import barred
from engine.rules.greylisting import CODES
from schema.states import BLOCKING, sql_list

COME_AGAIN: Final = ", ".join(f"'{code}'" for code in sorted(CODES))

#: The steps before have ended.
UNBLOCKED: Final = f"""
    (o.step_order = 1 OR NOT EXISTS (
        SELECT FROM outbox before
        WHERE before.enrollment_id = o.enrollment_id AND before.step_order < o.step_order
            AND before.status IN ({sql_list(*BLOCKING)})
        OFFSET 0
    ))
"""

#: The enrollment is active, its sequence and workspace are not paused, the steps before have ended, the channel does
#: not pause, and the contact is not on hold.
MAY_GO: Final = f"""
    EXISTS (
        SELECT FROM enrollments e WHERE e.id = o.enrollment_id AND {checked("e.status = 'active'")} AND {NOT_HELD}
            AND {NOT_ON_HOLD}
        OFFSET 0
    )
    AND {UNBLOCKED} AND {NOT_PAUSED}
"""

#: Only rows that are really due and may go. A row that another worker has locked is skipped. Whoever ends an
#: enrollment cancels its rows, and so waits for the locks. What bars the recipient is told, for the worker to settle.
CLAIM: Final = f"""
WITH claimed AS MATERIALIZED (
    SELECT o.id, o.fence + 1 AS fence, o.workspace_id, o.enrollment_id, o.step_order, o.step_key, o.type, o.due_at,
        o.retry_at, o.attempts, e.version_id, e.contact_id, e.data
    FROM outbox o JOIN enrollments e ON {look_up("e.id", "o.enrollment_id")}
    WHERE o.id = ANY(%(ids)b::bigint[]) AND {checked("o.status = 'pending'")}
        AND o.due_at <= (SELECT sequence_now())
        AND (SELECT open_until > clock_timestamp() FROM dispatch WHERE id)
        AND (o.retry_at IS NULL OR o.retry_at <= clock_timestamp())
        AND {checked("e.status = 'active'")} AND {UNBLOCKED} AND {NOT_PAUSED} AND {NOT_HELD}
        AND {NOT_ON_HOLD}
    FOR UPDATE OF o SKIP LOCKED
)
SELECT claimed.id, claimed.fence, claimed.workspace_id, claimed.enrollment_id, claimed.step_order, claimed.step_key,
    claimed.type AS channel, date_part('epoch', claimed.due_at) AS due_at,
    date_part('epoch', claimed.retry_at) AS retry_at, claimed.attempts, claimed.version_id,
    nullif(claimed.data, '{{}}') AS data,
    c.external_id, c.email, c.phone, c.first_name, c.last_name, c.timezone, c.attributes,
    {barred("claimed")} AS suppressed,
    CASE WHEN claimed.type = 'email' AND claimed.fence > 1 THEN (
        SELECT a.payload FROM attempts a WHERE a.outbox_id = claimed.id AND a.outcome = 'unanswered'
        ORDER BY a.fence DESC LIMIT 1
    ) END AS frozen,
    CASE WHEN claimed.fence > 1 THEN (
        SELECT count(*) FROM attempt_records a WHERE a.outbox_id = claimed.id AND a.fence < claimed.fence
    ) ELSE 0 END AS attempted,
    CASE WHEN claimed.type <> 'sms' AND claimed.fence > 1 THEN (
        SELECT count(*) FROM attempt_records a WHERE a.outbox_id = claimed.id AND a.fence < claimed.fence
            AND a.outcome = 'held' AND a.error_code IN ({COME_AGAIN})
    ) ELSE 0 END AS asked_to_come_again,
    (SELECT date_part('epoch', sequence_now())) AS claimed_at
FROM claimed JOIN contacts c ON {look_up("c.id", "claimed.contact_id")}
ORDER BY claimed.due_at, claimed.id
"""

LEFT_ALONE: Final = f"""
SELECT o.id, o.status, date_part('epoch', o.due_at), date_part('epoch', o.retry_at), {MAY_GO}
FROM outbox o WHERE o.id = ANY(%(ids)b::bigint[])
"""


class Claimed(NamedTuple):
    """A row that we have locked, with what is needed to render it. Moments are epoch seconds."""

    id: int
    fence: int
    """Of the attempt that may be begun now."""
    workspace_id: int
    enrollment_id: int
    step_order: int
    step_key: str
    channel: str
    due_at: float
    """Sequence time."""
    retry_at: float | None
    """Real time at which its back-off ended."""
    attempts: int
    version_id: int
    data: dict[str, Any] | None
    """`custom.*` of this enrollment alone; None: nothing."""
    external_id: str | None
    email: str | None
    phone: str | None
    first_name: str | None
    last_name: str | None
    timezone: str | None
    attributes: dict[str, Any]
    suppressed: str | None
    """Why the recipient must not be contacted on this channel."""
    frozen: dict[str, Any] | None
    """An email that may have been accepted before: if it is sent again, then the same bytes."""
    attempted: int
    """Attempts before this one."""
    asked_to_come_again: int
    """How many of them the mail server refused for now with a code of engine/rules/greylisting.py."""
    claimed_at: float
    """The sequence time of the claim, as the database has it."""

    @property
    def recipient(self) -> str | None:
        """Where the message goes."""
        return self.phone if self.channel == "sms" else self.email


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """A row that could not be claimed. Moments are epoch seconds."""

    id: int
    status: str
    due_at: float | None
    retry_at: float | None
    may_go: bool
    """Nothing but time keeps it; otherwise whatever does keep it wakes it when that ends."""


def claim(session: Session, ids: Sequence[int]) -> list[Claimed]:
    """Lock those of the rows that may go out now, and read them; the others are left alone."""
    rows = session.execute(CLAIM, {"ids": BigInts(ids)}, prepare=True, binary=True).fetchall()
    return [Claimed._make(row) for row in rows]


def left_alone(session: Session, ids: Sequence[int]) -> list[LeftAlone]:
    """Tell how the rows stand that could not be claimed."""
    rows = session.execute(LEFT_ALONE, {"ids": list(ids)}, prepare=True, binary=True).fetchall()
    return [LeftAlone(*row) for row in rows]
