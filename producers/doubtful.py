"""Messages that may be opt-outs: those that a person has to read, and the person's decision."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from psycopg.rows import class_row

from engine.database import Session
from engine.errors import InvalidInput, NotFound
from engine.outbox.contact_holds import let_go
from engine.outbox.sweep import wakeups_of
from engine.rules.opt_out import OptOut
from engine.wakeups import Due
from producers.inbound import contact_with, opt_out, phone_of

WAITING: Final = """
SELECT e.id, w.key AS workspace, e.contact_id, coalesce(e.payload ->> 'From', '') AS sender,
    coalesce(e.payload ->> 'Body', '') AS body, e.received_at,
    EXISTS (SELECT FROM contact_holds held WHERE held.event_id = e.id) AS on_hold
FROM events e JOIN workspaces w ON w.id = e.workspace_id
WHERE e.status = 'doubtful' AND (%(workspace)s::bigint IS NULL OR e.workspace_id = %(workspace)s)
ORDER BY e.id LIMIT %(limit)s
"""

MESSAGE: Final = """
SELECT e.status, e.contact_id, coalesce(e.payload ->> 'From', ''), w.region, w.opt_out_scope
FROM events e JOIN workspaces w ON w.id = e.workspace_id
WHERE e.id = %s AND e.workspace_id = %s AND e.kind = 'inbound' FOR UPDATE OF e
"""

DECIDE: Final = "UPDATE events SET status = %s WHERE id = %s"


class Reading(StrEnum):
    """What a person makes of a message."""

    STOP = "stop"
    """They want no more of it."""
    IGNORE = "ignore"
    """They mean something else."""


#: What the event says from then on.
STATUS: Final = {Reading.STOP: OptOut.STOP.value, Reading.IGNORE: "reply"}


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A message that may be an opt-out."""

    id: int
    """Of the event."""
    workspace: str
    contact_id: int | None
    sender: str = field(repr=False)
    body: str = field(repr=False)
    received_at: datetime
    on_hold: bool
    """Whether the contact waits for the decision."""


def doubtful_messages(session: Session, workspace_id: int | None, *, limit: int | None = None) -> list[Doubtful]:
    """The messages that wait for a person, the oldest first."""
    with session.cursor(row_factory=class_row(Doubtful)) as cursor:
        cursor.execute(WAITING, {"workspace": workspace_id, "limit": limit})
        return cursor.fetchall()


def read_message(session: Session, workspace_id: int, event_id: int, reading: Reading) -> list[Due]:
    """Do what the message asks for, as a person reads it, in the caller's transaction; the contact's hold ends.

    An opt-out bars the number that the message came from and the contact who wrote it, whatever its number is now.
    Return the wake-ups for after the COMMIT.

    Raises:
        NotFound: the workspace has no such message.
        InvalidInput: there was no doubt about it, or is none any more.
    """
    row = session.execute(MESSAGE, (event_id, workspace_id)).fetchone()
    if row is None:
        raise NotFound(f"no message {event_id} in this workspace: `cadenza review --messages` lists those in doubt")
    status, contact_id, sender, region, scope = row
    if status != OptOut.DOUBTFUL:
        raise InvalidInput(f"message {event_id} says {status!r}: it needs no decision")
    session.execute(DECIDE, (STATUS[reading], event_id))
    going_on = let_go(session, event_id)
    if reading is Reading.IGNORE:
        return wakeups_of(session, going_on)
    phone = phone_of(sender, region)
    person = contact_with(session, workspace_id, phone) if contact_id is None else contact_id
    opt_out(session, workspace_id, scope, phone, person)
    return []
