"""Exit rules: what a contact does, and what happens to it, ends its enrollments, and perhaps its colleagues'."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from engine.database import Session
from engine.outbox.leave import colleagues_leave, hold_company, leave

#: Ends every enrollment of the contact, whether its sequence names it or not.
EVERYWHERE: Final = "unsubscribed"

COMPANY_REPLIED: Final = "company_replied"


@dataclass(frozen=True, slots=True)
class Happened:
    """Something that may end enrollments."""

    workspace_id: int
    contact_id: int
    what: Literal["replied", "unsubscribed", "bounced", "complained", "goal"]


def leave_for(session: Session, event: Happened) -> Sequence[int]:
    """End what the event ends, in the caller's transaction; give the enrollments.

    From the COMMIT on nothing more is begun for them: what is being begun is waited for, and on its way then. The
    colleagues of somebody who replied leave sequences with `exit_on: [company_replied]`.
    """
    workspace_id, contact_id = event.workspace_id, event.contact_id
    company = hold_company(session, workspace_id, contact_id) if event.what == "replied" else None
    ended = list(leave(session, workspace_id, contact_id, event.what, only_where_asked=event.what != EVERYWHERE))
    if company is not None:
        ended += colleagues_leave(session, workspace_id, contact_id, company, COMPANY_REPLIED)
    return ended
