"""What the model sees of the outbox."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from engine.outbox.hold import KEEPS
from schema.states import BLOCKING

AttemptId: TypeAlias = tuple[int, int]
"""A row's id, and the fence of the claim."""

Step: TypeAlias = tuple[str, str, str]
"""Whose it is (the phone), and the sequence and the step: the same in every copy of the database."""

#: An enrollment that is kept by a pause of its sequence or workspace is paused.
ROWS = f"""
SELECT o.id, o.enrollment_id, o.step_order, o.step_key, o.type, o.status, o.reason, o.fence, o.provider_id,
    extract(epoch FROM o.due_at)::float8, extract(epoch FROM o.sent_at)::float8, o.due_at <= sequence_now(),
    EXISTS (
        SELECT FROM suppressions s WHERE s.workspace_id = o.workspace_id AND s.channel = o.type
            AND s.address = CASE o.type WHEN 'sms' THEN c.phone ELSE c.email_key END
    ),
    CASE WHEN e.status = 'active' AND EXISTS (SELECT FROM holds h WHERE {KEEPS}) THEN 'paused' ELSE e.status END,
    c.phone, s.key, v.number,
    (
        SELECT jsonb_agg(jsonb_build_array(a.outbox_id, a.fence, a.outcome, a.provider_id, a.payload) ORDER BY a.fence)
        FROM attempts a WHERE a.outbox_id = o.id
    )
FROM outbox o
JOIN enrollments e ON e.id = o.enrollment_id JOIN contacts c ON c.id = e.contact_id
JOIN sequence_versions v ON v.id = e.version_id JOIN sequences s ON s.id = v.sequence_id
ORDER BY o.id
"""


@dataclass(frozen=True, slots=True)
class Row:
    """An outbox row, its enrollment and its contact. Moments are epoch seconds of sequence time."""

    id: int
    enrollment_id: int
    step_order: int
    step_key: str
    type: str
    status: str
    reason: str | None
    fence: int
    provider_id: str | None
    due_at: float
    sent_at: float | None
    is_due: bool
    is_barred: bool
    """Its recipient is suppressed."""
    enrollment: str
    """The status of its enrollment."""
    phone: str
    sequence: str
    version: int
    written: list[tuple[int, int, str | None, str | None, dict[str, Any]]] | None
    """Its attempts, the oldest first."""

    @property
    def attempts(self) -> list["Attempted"]:
        """Its attempts, the oldest first."""
        return [Attempted(*one) for one in self.written or ()]

    @property
    def step(self) -> Step:
        """Which step of whom it is."""
        return self.phone, self.sequence, self.step_key


@dataclass(frozen=True, slots=True)
class Attempted:
    """An attempt as it is written down."""

    row_id: int
    fence: int
    outcome: str | None
    provider_id: str | None
    payload: dict[str, Any]

    @property
    def words(self) -> str:
        """The text that was handed over."""
        return str(self.payload.get("body") or self.payload.get("text"))


def before(rows: Mapping[int, Row], row: Row) -> list[Row]:
    """The steps before this one, in order."""
    steps = [other for other in rows.values() if other.enrollment_id == row.enrollment_id]
    return sorted((one for one in steps if one.step_order < row.step_order), key=lambda one: one.step_order)


def open_before(rows: Mapping[int, Row], row: Row) -> list[Row]:
    """The steps before this one that have not ended."""
    return [one for one in before(rows, row) if one.status in BLOCKING]
