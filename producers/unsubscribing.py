"""Unsubscribe whoever has the link of an email (engine/rules/unsubscribe.py)."""

from dataclasses import dataclass
from typing import Final

from engine.database import Session
from engine.errors import NotFound
from engine.rules.unsubscribe import digest_of, read
from engine.wakeups import Due
from producers.signals import About, Heard, take_signal
from producers.suppressions import UNSUBSCRIBED, suppress
from producers.workspaces import find_workspace
from schema.states import SignalKind

CHANNEL: Final = "email"

#: Of a workspace: its key and name, and the secret that signs its links.
WORKSPACE: Final = "SELECT id, key, name, webhook_secret FROM workspaces WHERE public_id = %s"

#: Every address that the row's email went to, or was about to go to.
MESSAGE: Final = """
SELECT o.enrollment_id, o.step_key, (SELECT array_agg(DISTINCT a.recipient) FROM attempts a WHERE a.outbox_id = o.id)
FROM outbox o WHERE o.id = %s AND o.workspace_id = %s AND o.type = 'email'
"""


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a link is about."""

    workspace_id: int
    workspace_key: str
    workspace_name: str
    enrollment_id: int
    step_key: str
    address: str


def subscription_of(session: Session, public_id: str, token: str) -> Subscription:
    """Return what a link is about.

    Raises:
        NotFound: the link is not one of the workspace's, or its message is gone.
    """
    row = session.execute(WORKSPACE, (public_id,)).fetchone()
    named = None if row is None else read(row[3], token)
    if row is None or named is None:
        raise NotFound("this link is not complete: copy all of it from the email")
    workspace_id, key, name, _ = row
    message = session.execute(MESSAGE, (named.row_id, workspace_id)).fetchone()
    addresses = [] if message is None else [one for one in message[2] or [] if digest_of(one) == named.digest]
    if message is None or not addresses:
        raise NotFound("the email of this link is not known any more")
    return Subscription(workspace_id, key, name, message[0], message[1], addresses[0])


def unsubscribe(session: Session, public_id: str, token: str) -> list[Due]:
    """Unsubscribe the address that the message went to, and the person. A repeat changes nothing.

    Return the wake-ups for after the COMMIT.

    Raises:
        NotFound: the link is not one of the workspace's, or its message is gone.
    """
    found = subscription_of(session, public_id, token)
    about = About(enrollment_id=found.enrollment_id, step=found.step_key)
    heard = Heard(SignalKind.UNSUBSCRIBED, about, key=f"unsubscribe {token}")
    taken = take_signal(session, find_workspace(session, found.workspace_key), heard)
    suppress(session, found.workspace_id, CHANNEL, found.address.casefold(), UNSUBSCRIBED)
    return taken.wakeups
