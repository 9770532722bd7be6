"""What happens to an enrollment next, if nothing changes: told from how it stands, and from nothing else."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from schema.states import BLOCKING, MESSAGE_TYPES, TASK_TYPES, EnrollmentStatus, RowStatus


@dataclass(frozen=True, slots=True)
class Pause:
    """What keeps an enrollment."""

    of: Literal["enrollment", "sequence", "workspace"]
    since: datetime
    """Sequence time."""
    made_by: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How an enrollment and its next step stand, and what is around them."""

    status: str
    exit_reason: str | None
    pauses: tuple[Pause, ...]
    step_key: str | None
    """The first step that has not ended; None: there is none."""
    step_status: str | None
    channel: str | None
    due_at: datetime | None
    now: datetime
    """Sequence time."""
    retry_in: float | None
    """Real seconds until its back-off ends."""
    late: float
    """Real seconds since it could have gone out."""
    max_lateness: float
    suppressed: str | None
    on_hold: bool
    """An operator has to decide whether a message of the contact is an opt-out."""
    has_address: bool
    channel_pauses: str | None
    """Why its channel pauses."""
    is_open: bool
    """Whether rows may be claimed."""


def what_is_next(standing: Standing) -> str:
    """What happens if nothing changes, in one sentence."""
    if standing.status == EnrollmentStatus.COMPLETED:
        return "nothing: every step has ended"
    if standing.status == EnrollmentStatus.CANCELLED:
        return f"nothing: it ended early ({standing.exit_reason})"
    if standing.step_key is None or standing.step_status not in BLOCKING:
        return "nothing is left to do"
    if standing.step_status != RowStatus.PENDING:
        return f"{standing.step_key}: {_under_way(standing)}"
    if standing.pauses:
        pause = standing.pauses[0]
        by = f", paused by {pause.made_by}" if pause.made_by else ""
        return f"{standing.step_key}: waits until its {pause.of} is resumed{by}"
    return f"{standing.step_key}: {_pending(standing)}"


def _under_way(standing: Standing) -> str:
    match standing.step_status:
        case RowStatus.SENDING:
            return "is on its way; the provider's answer is waited for"
        case RowStatus.UNKNOWN if standing.channel != "sms":
            return "nobody knows whether it was accepted; it will be handed to an operator, or sent once more"
        case RowStatus.UNKNOWN:
            return "nobody knows whether it was accepted; it will be looked up at the provider"
        case RowStatus.OPEN:
            return "waits for a person"
        case _:
            return "waits for what comes before it"


def _pending_gate(standing: Standing) -> str:
    """Of a step that is no message: nothing bars it, and it is never too late."""
    if standing.retry_in is not None and standing.retry_in > 0:
        return f"is tried again in {standing.retry_in:.0f} seconds"
    happens = "becomes active" if standing.channel in TASK_TYPES else "is settled"
    if standing.due_at is not None and standing.due_at > standing.now:
        return f"{happens} when it is due"
    return f"is due, and {happens} as soon as a worker takes it"


def _pending(standing: Standing) -> str:
    if standing.channel not in MESSAGE_TYPES:
        return _pending_gate(standing)
    when = "when it is due" if standing.due_at is not None and standing.due_at > standing.now else "now"
    if standing.suppressed is not None:
        return f"will be skipped {when}: its recipient is suppressed ({standing.suppressed})"
    if standing.on_hold:
        return "waits until an operator decides whether a message of the contact is an opt-out: `cadenza review`"
    if not standing.has_address:
        return f"will be skipped {when}: the contact has no {'phone' if standing.channel == 'sms' else 'email'}"
    if standing.due_at is not None and standing.due_at > standing.now:
        return "goes out when it is due"
    if standing.late > standing.max_lateness:
        return "will be skipped: it is too late"
    if standing.channel_pauses is not None:
        return f"waits, since its channel pauses: {standing.channel_pauses}"
    if standing.retry_in is not None and standing.retry_in > 0:
        return f"is tried again in {standing.retry_in:.0f} seconds"
    if not standing.is_open:
        return "is due, and waits for dispatch to open: no worker leads, or the database was restored from a backup"
    return "is due, and goes out as soon as a worker takes it"
