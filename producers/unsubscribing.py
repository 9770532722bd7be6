"""Unsubscribe whoever has the link of an email (engine/rules/unsubscribe.py)."""

from dataclasses import dataclass
from typing import Final, Literal

from engine.database import Session
from engine.errors import NotFound
from engine.rules.unsubscribe import digest_of, read
from engine.wakeups import Due
from producers.signals import About, Heard, take_signal
from producers.suppressions import UNSUBSCRIBED, suppress
from producers.tenants import PUBLIC_ID
from producers.workspaces import find_workspace
from schema.states import SignalKind

CHANNEL: Final[Literal["email"]] = "email"

#: Of a workspace: its key and name, and the secret that signs its links.
WORKSPACE: Final = "SELECT id, key, name, webhook_secret FROM workspaces WHERE public_id = %s"

#: A row, with every address that its email went to, or was about to go to.
_MESSAGE: Final = """
SELECT o.enrollment_id, o.step_key, (SELECT array_agg(DISTINCT a.recipient) FROM {attempts} a WHERE a.outbox_id = o.id)
FROM {outbox} o WHERE o.id = %(row)s AND o.workspace_id = %(workspace)s AND o.type = 'email'
"""
MESSAGES: Final = (
    _MESSAGE.format(outbox="outbox", attempts="attempts"),
    _MESSAGE.format(outbox="archived_outbox", attempts="archived_attempts"),
)

#: The steps of a detached month can't be read. The link names its address all the same (`digest_of`).
OWNER: Final = """
SELECT email_key FROM contacts
WHERE workspace_id = %(workspace)s AND substring(sha256(convert_to(email_key, 'UTF8')) FROM 1 FOR 8) = %(digest)s
LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a link is about."""

    workspace_id: int
    workspace_key: str
    workspace_name: str
    about: About
    """The message; or the contact, if the message is in a detached archive."""
    address: str


def subscription_of(session: Session, public_id: str, token: str) -> Subscription:
    """Return what a link is about.

    Raises:
        NotFound: the link is not one of the workspace's, or nobody has the address and its message is gone.
    """
    row = session.execute(WORKSPACE, (public_id,)).fetchone() if PUBLIC_ID.fullmatch(public_id) else None
    named = None if row is None else read(row[3], token)
    if row is None or named is None:
        raise NotFound("this link is not complete: copy all of it from the email")
    workspace_id, key, name, _ = row
    asked = {"workspace": workspace_id, "row": named.row_id, "digest": named.digest}
    for query in MESSAGES:
        for enrollment_id, step, recipients in session.execute(query.encode(), asked):
            for address in recipients or ():
                if digest_of(address) == named.digest:
                    about = About(enrollment_id=enrollment_id, step=step)
                    return Subscription(workspace_id, key, name, about, address)
    owner = session.execute(OWNER, asked).fetchone()
    if owner is None:
        raise NotFound("the email of this link is not known any more")
    return Subscription(workspace_id, key, name, About(email=owner[0], channel=CHANNEL), owner[0])


def unsubscribe(session: Session, public_id: str, token: str) -> list[Due]:
    """Unsubscribe the address that the message went to, and the person. A repeat changes nothing.

    Return the wake-ups for after the COMMIT.

    Raises:
        NotFound: the link is not one of the workspace's, or nobody has the address and its message is gone.
    """
    found = subscription_of(session, public_id, token)
    heard = Heard(SignalKind.UNSUBSCRIBED, found.about, key=f"unsubscribe {token}")
    taken = take_signal(session, find_workspace(session, found.workspace_key), heard)
    suppress(session, found.workspace_id, CHANNEL, found.address.casefold(), UNSUBSCRIBED)
    return taken.wakeups
