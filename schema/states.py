"""Every state of a row, an enrollment and a sequence, each with who moves it on (DESIGN.md section 4)."""

from enum import StrEnum
from typing import Final


class RowStatus(StrEnum):
    """The status of an outbox row: one step of one enrollment."""

    WAITING = "waiting"
    """Behind a gate, no time yet. Moved on by the planner."""
    PENDING = "pending"
    """`due_at` is known. Moved on by a worker (claim), the API (pause, skip, cancel) and the sweeper."""
    SENDING = "sending"
    """Claimed under a lease. Moved on by the worker that holds it, by the sweeper when the lease ends."""
    OPEN = "open"
    """A human task that is due. Moved on by a person."""
    SENT = "sent"
    """The provider accepted it. Final; delivery is tracked beside it."""
    DONE = "done"
    """A task, condition, wait or action is finished. Final."""
    FAILED = "failed"
    """Refused for good, or tries used up. Final."""
    UNKNOWN = "unknown"
    """Handed over, no answer. Moved on by the reconciler and by callbacks, never by a guess."""
    REVIEW = "review"
    """Could not be resolved. Moved on by an operator."""
    SKIPPED = "skipped"
    """Not taken: branch, suppression, lateness, by hand; `reason` says which. Final."""
    CANCELLED = "cancelled"
    """The enrollment ended first. Final."""


#: A step behind one of these must wait; behind any other status the sequence goes on (DESIGN.md section 9).
BLOCKING: Final = (
    RowStatus.WAITING,
    RowStatus.PENDING,
    RowStatus.SENDING,
    RowStatus.OPEN,
    RowStatus.UNKNOWN,
)

#: What a worker may write down for a row that it holds under a lease.
FROM_SENDING: Final = (
    RowStatus.SENT,
    RowStatus.FAILED,
    RowStatus.PENDING,
    RowStatus.UNKNOWN,
    RowStatus.SKIPPED,
    RowStatus.REVIEW,
)


class EnrollmentStatus(StrEnum):
    """The status of an enrollment: one contact in one version of one sequence."""

    ACTIVE = "active"
    """Its steps go out. Moved on by the last settled row, by an exit and by an operator."""
    PAUSED = "paused"
    """Nothing goes out. Moved on by an operator."""
    COMPLETED = "completed"
    """Every step has ended. Final."""
    CANCELLED = "cancelled"
    """Left early; `exit_reason` says why. Final."""


class Reentry(StrEnum):
    """When a contact that was enrolled in a sequence may be enrolled again."""

    ONCE = "once"
    """Never."""
    AFTER_EXIT = "after_exit"
    """When the enrollment before has ended."""
    ALWAYS = "always"
    """At any time, also while another runs."""


class SequenceStatus(StrEnum):
    """The status of a sequence. Only an active one takes enrollments."""

    DRAFT = "draft"
    ACTIVE = "active"
    PAUSED = "paused"
    ARCHIVED = "archived"


class AttemptOutcome(StrEnum):
    """How an attempt ended. An attempt without one has been handed over and not been answered yet."""

    ACCEPTED = "accepted"
    """The provider took the message."""
    REFUSED = "refused"
    """Refused for good."""
    DEFERRED = "deferred"
    """Refused for now: an answer, so a try is used."""
    HELD = "held"
    """Definitely not accepted and no answer about the message (no connection, slow down): no try is used."""
    UNANSWERED = "unanswered"
    """It may have been accepted; nobody knows."""


class SignalKind(StrEnum):
    """What can be heard of a contact."""

    OPENED = "opened"
    CLICKED = "clicked"
    REPLIED = "replied"
    BOUNCED = "bounced"
    """A mail server refused it later, for good."""
    COMPLAINED = "complained"
    """They said that it is spam."""
    UNSUBSCRIBED = "unsubscribed"
    DELIVERED = "delivered"
    FAILED = "failed"
    """It was not delivered."""
    CUSTOM = "custom"
    """An event of one's own; it has a name."""


#: The reasons of suppressions that the recipient gave: they follow the person to other addresses.
THEIR_OWN: Final = ("stop", "unsubscribed", "complained")

#: The outcome of a gate that waits for something to happen, until `due_at`.
UNDECIDED: Final = "undecided"


class TaskState(StrEnum):
    """The state of a human task, as those who work it see it."""

    PENDING = "pending"
    """Not due yet, or snoozed."""
    ACTIVE = "active"
    """To be done. Moved on by a person."""
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    """Its enrollment ended first."""
    SKIPPED = "skipped"
    """Not to be done: a branch that was not taken, or by hand."""


class Priority(StrEnum):
    """How pressing a task is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


#: Messages: handed over to a provider by a channel of that name.
MESSAGE_TYPES: Final = ("sms", "email")

#: What people do.
TASK_TYPES: Final = ("call", "social_message", "internal_activity", "manual_sms", "manual_email")

#: What a step can be; the definition says which of them are supported yet (schema/definition/kinds.py).
STEP_TYPES: Final = (*MESSAGE_TYPES, *TASK_TYPES, "condition", "wait", "action", "variants")


def sql_list(*values: StrEnum) -> str:
    """Write the values as a list of SQL literals, for a CHECK constraint or an index predicate."""
    return ", ".join(f"'{value.value}'" for value in values)
