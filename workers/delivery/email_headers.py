"""The headers of an email, beside those that every email has (docs/email.md).

- List-Unsubscribe (RFC 2369) and List-Unsubscribe-Post (RFC 8058): on every email that the contact did not ask for.
  Gmail and Yahoo require both from bulk senders (support.google.com/a/answer/81126, senders.yahooinc.com).
- Precedence: bulk on the same emails: auto-responders that know no other header stay silent (RFC 3834 section 2).
- Auto-Submitted: auto-generated on transactional ones (RFC 3834 section 5): a machine sends them, nobody answers it.
- Feedback-ID: Gmail's Postmaster Tools tell spam rates by it (support.google.com/mail/answer/6254652).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from engine.outbox.claim import Claimed
from engine.rules import unsubscribe
from engine.rules.rendering import Renderer, RenderError, Variables
from schema.definition import Definition, EmailStep
from schema.definition.mail import is_template
from schema.mailbox import read_sender
from workers.delivery.known import Tenant, Version

#: The last field of a Feedback-ID names the sender: 5 to 15 characters.
SENDER_ID: Final = 15


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """How the recipient of an email unsubscribes."""

    uris: tuple[str, ...]
    """The page, where there is one, and an email to the workspace."""
    one_click: bool
    """Whether mail programs may post to the page (RFC 8058 asks for https)."""

    @property
    def url(self) -> str:
        """What `{{ unsubscribe_url }}` is."""
        return self.uris[0]


def unsubscribe_by(public_url: str | None, tenant: Tenant, row: Claimed, sender: str) -> Unsubscribe:
    """Return how the recipient of a row's email unsubscribes. `sender` is the From of the email."""
    token = unsubscribe.sign(tenant.webhook_secret, row.id, row.email or "")
    mail = unsubscribe.mailto(read_sender(sender).address, token)
    if public_url is None:
        return Unsubscribe((mail,), one_click=False)
    page = unsubscribe.link(public_url, tenant.public_id, token)
    return Unsubscribe((page, mail), one_click=page.startswith("https://"))


def headers_of(step: EmailStep, version: Version, tenant: Tenant) -> tuple[tuple[str, str], ...]:
    """Return the other headers of a step's emails: of the workspace, the sequence and the step; the last one wins."""
    return _headers(
        tuple(tenant.headers.items()),
        tuple(version.definition.headers.items()),
        tuple(step.headers.items()),
        f"{step.key}:{version.definition.sequence}:v{version.number}:{tenant.public_id[:SENDER_ID]}",
        step.transactional,
    )


@lru_cache(maxsize=1_000)
def _headers(
    of_workspace: Sequence[tuple[str, str]],
    of_sequence: Sequence[tuple[str, str]],
    of_step: Sequence[tuple[str, str]],
    feedback_id: str,
    transactional: bool,
) -> tuple[tuple[str, str], ...]:
    own = {name.lower(): (name, value) for name, value in (*of_workspace, *of_sequence, *of_step)}
    automatic = ("Auto-Submitted", "auto-generated") if transactional else ("Precedence", "bulk")
    return (("Feedback-ID", feedback_id), automatic, *own.values())


def addresses_of(
    step: EmailStep, definition: Definition, tenant: Tenant, renderer: Renderer, values: Variables
) -> tuple[str | None, tuple[str, ...]]:
    """Return the Reply-To and the Cc of a row's email: the step's, else the sequence's, else the workspace's.

    A template that gives nothing is left out.

    Raises:
        RenderError: a template gives no email address.
    """
    reply_to = step.reply_to or definition.reply_to or tenant.reply_to
    copies = step.cc or definition.cc or tenant.cc
    filled = [_mailbox("cc", source, renderer, values) for source in copies]
    return (
        None if reply_to is None else _mailbox("reply_to", reply_to, renderer, values),
        tuple(dict.fromkeys(mailbox for mailbox in filled if mailbox is not None)),
    )


def _mailbox(name: str, source: str, renderer: Renderer, values: Mapping[str, object]) -> str | None:
    mailbox = renderer.render(source, values).strip() if is_template(source) else source.strip()
    if not mailbox:
        return None
    try:
        read_sender(mailbox)
    except ValueError:
        raise RenderError(name, f"{name} is not an email address when it is filled in") from None
    return mailbox
