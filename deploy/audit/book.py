"""What the database says: the rows, their attempts, and whom they are for. Moments are epoch seconds."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deploy.audit.clock_history import ClockHistory
from schema.states import MESSAGE_TYPES


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom an enrollment is for."""

    workspace_id: int
    email: str | None
    phone: str | None
    updated_at: float
    """Real time."""


@dataclass(frozen=True, slots=True)
class Enrollment:
    """What a row belongs to."""

    id: int
    workspace_id: int
    status: str
    created_at: float
    """Real time."""
    ended_at: float | None
    """Sequence time at which it was completed or cancelled."""
    contact: Contact | None
    migrated_at: float | None = None
    """Real time at which it last went on in another version, where its steps may have another order."""
    modified_at: float | None = None
    """Real time at which somebody last changed its own steps."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the outbox."""

    id: int
    workspace_id: int
    enrollment_id: int
    step_order: int
    step_key: str
    type: str
    status: str
    reason: str | None
    due_at: float | None
    """Sequence time."""
    provider_id: str | None
    outcome: str | None = None
    """What a gate came to."""
    reopened_at: float | None = None
    """Real time at which somebody last said that a task was not done after all."""
    on_hold: bool = False
    """It waits until an operator decides whether a message of its contact is an opt-out."""

    @property
    def is_message(self) -> bool:
        """Whether a provider is to accept it."""
        return self.type in MESSAGE_TYPES


@dataclass(frozen=True, slots=True)
class Attempt:
    """One hand-over of a row."""

    row_id: int
    fence: int
    workspace_id: int
    channel: str
    recipient: str
    payload: Mapping[str, Any]
    started_at: float
    """Real time of the database."""
    ended_at: float | None
    """Real time of the database."""
    outcome: str | None
    provider_id: str | None


@dataclass(frozen=True, slots=True)
class Book:
    """All of it, as it stood at one moment."""

    rows: Sequence[Row]
    """In the order of enrollments and steps."""
    enrollments: Mapping[int, Enrollment]
    attempts: Sequence[Attempt]
    """In the order of rows and fences."""
    suppressed_at: Mapping[tuple[int, str, str], float]
    """Real time, by workspace, channel and address (emails case-folded)."""
    clock: ClockHistory
    now: float
    """Sequence time."""
    attempts_of: Mapping[int, Sequence[Attempt]] = field(init=False)
    """By row."""
    row_of: Mapping[int, Row] = field(init=False)
    """By id."""

    def __post_init__(self) -> None:
        """Look up what is looked up often."""
        attempts_of: dict[int, list[Attempt]] = defaultdict(list)
        for attempt in self.attempts:
            attempts_of[attempt.row_id].append(attempt)
        object.__setattr__(self, "attempts_of", dict(attempts_of))
        object.__setattr__(self, "row_of", {row.id: row for row in self.rows})
