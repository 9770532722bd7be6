"""Contacts on hold: a channel of a contact waits until an operator decides whether a message is an opt-out."""

from typing import Final

from engine.database import Session

#: Of a row (`o`) and its enrollment (`e`). While no contact is on hold, no row is looked at.
NOT_ON_HOLD: Final = """
    (NOT (SELECT EXISTS (SELECT FROM contact_holds)) OR NOT EXISTS (
        SELECT FROM contact_holds doubt WHERE doubt.contact_id = e.contact_id AND doubt.channel = o.type OFFSET 0
    ))
"""

HOLD: Final = """
INSERT INTO contact_holds (event_id, contact_id, channel, workspace_id)
VALUES (%(event)s, %(contact)s, %(channel)s, %(workspace)s) ON CONFLICT DO NOTHING
"""

LET_GO: Final = "DELETE FROM contact_holds WHERE event_id = %s RETURNING contact_id"

LET_GO_ALL: Final = "DELETE FROM contact_holds WHERE contact_id = %s AND channel = %s"

RUNNING: Final = "SELECT id FROM enrollments WHERE contact_id = %s AND status IN ('active', 'paused')"

COUNT: Final = """
SELECT count(*) FROM events
WHERE status = 'doubtful' AND (%(workspace)s::bigint IS NULL OR workspace_id = %(workspace)s)
"""


def count_doubtful(session: Session, workspace_id: int | None = None) -> int:
    """Return how many messages may be opt-outs and wait for an operator, of one workspace or of all."""
    row = session.execute(COUNT, {"workspace": workspace_id}).fetchone()
    return int(row[0]) if row else 0


def put_on_hold(session: Session, workspace_id: int, contact_id: int, channel: str, event_id: int) -> None:
    """Send nothing on the channel to the contact until an operator has decided about the event."""
    session.execute(HOLD, {"event": event_id, "contact": contact_id, "channel": channel, "workspace": workspace_id})


def let_go(session: Session, event_id: int) -> list[int]:
    """End the hold of an event; return the running enrollments of the contact, whose steps may go on."""
    row = session.execute(LET_GO, (event_id,)).fetchone()
    return [] if row is None else [enrollment_id for (enrollment_id,) in session.execute(RUNNING, row)]


def let_go_all(session: Session, contact_id: int, channel: str) -> list[int]:
    """End all holds of a contact on a channel; return its running enrollments, whose steps may go on."""
    if session.execute(LET_GO_ALL, (contact_id, channel)).rowcount == 0:
        return []
    return [enrollment_id for (enrollment_id,) in session.execute(RUNNING, (contact_id,))]
