"""What is heard of contacts: opens, clicks, replies, bounces, events of one's own. One way in for all."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address
from typing import Any, Final, Literal

import structlog

from engine.clock import sequence_now
from engine.database import Session
from engine.errors import InvalidInput, NotFound
from engine.outbox.decide import heed
from engine.rules.delivery_status import replaceable_by
from engine.rules.machines import machine_of
from engine.wakeups import Due
from producers.emails import email_address
from producers.events import Event, record
from producers.fields import NotStorableError, json_of
from producers.leaving import Happened, leave_for
from producers.phones import e164
from producers.suppressions import COMPLAINED, UNSUBSCRIBED, channels_of, opt_out_contact, suppress
from producers.workspaces import Workspace
from schema.states import RowStatus, SignalKind

log = structlog.get_logger(__name__)

#: Who tells events that no provider tells.
PROVIDER: Final = "cadenza"

#: These are about a message.
OF_MESSAGES: Final = frozenset(
    {
        SignalKind.OPENED,
        SignalKind.CLICKED,
        SignalKind.BOUNCED,
        SignalKind.DELIVERED,
        SignalKind.FAILED,
    }
)

#: These are kept for an address that no contact has.
OPT_OUTS: Final = frozenset({SignalKind.UNSUBSCRIBED, SignalKind.COMPLAINED})

#: Only these can be a machine's doing.
OF_MACHINES: Final = frozenset({SignalKind.OPENED, SignalKind.CLICKED})

#: Messages of which something can be heard.
GONE_OUT: Final = (RowStatus.SENT, RowStatus.SENDING, RowStatus.UNKNOWN, RowStatus.REVIEW)

#: With the address to which the message went, whatever the contact's is now.
ROW: Final = """
SELECT o.id, o.type, o.status, o.step_key, e.contact_id, (
    SELECT a.recipient FROM {attempts} a WHERE a.outbox_id = o.id
    ORDER BY coalesce(a.provider_id = %(message)s::text, false) DESC, a.fence DESC LIMIT 1
)
FROM {outbox} o JOIN enrollments e ON e.id = o.enrollment_id WHERE o.workspace_id = %(workspace)s AND
"""
OF_MESSAGE: Final = "o.provider_id = %(message)s"
OF_STEP: Final = "o.enrollment_id = %(enrollment)s AND o.step_key = %(step)s"

#: An opt-out or a bounce of an archived message is as good as one of a new message. The month of a step is known.
OF_OUTBOX: Final = ROW.format(outbox="outbox", attempts="attempts")
OF_ARCHIVE: Final = ROW.format(outbox="archived_outbox", attempts="archived_attempts")
BY_MESSAGE: Final = (OF_OUTBOX + OF_MESSAGE, OF_ARCHIVE + OF_MESSAGE)
BY_STEP: Final = (OF_OUTBOX + OF_STEP, OF_ARCHIVE + OF_STEP + " AND o.archived_month = e.archived_month")
DETACHED: Final = """
SELECT to_char(m.month, 'YYYY-MM') FROM enrollments e
JOIN archive_months m ON m.month = e.archived_month AND m.detached_at IS NOT NULL
WHERE e.id = %(enrollment)s AND e.workspace_id = %(workspace)s
"""

CONTACT: Final = """
SELECT id FROM contacts WHERE workspace_id = %(workspace)s AND (
    %(external_id)s::text IS NOT NULL AND external_id = %(external_id)s
    OR %(email)s::text IS NOT NULL AND email_key = %(email)s OR %(phone)s::text IS NOT NULL AND phone = %(phone)s
) ORDER BY id LIMIT 2
"""
OF_ENROLLMENT: Final = "SELECT contact_id FROM enrollments WHERE workspace_id = %(workspace)s AND id = %(enrollment)s"

ADDRESSES: Final = "SELECT email_key, phone FROM contacts WHERE id = %s"

MOVE: Final = """
UPDATE outbox SET delivery_status = %(status)s
WHERE id = %(row)s AND (delivery_status IS NULL OR delivery_status = ANY(%(replaceable)s))
"""

#: What a signal says of the delivery of its message.
DELIVERY: Final = {
    SignalKind.DELIVERED: "delivered",
    SignalKind.FAILED: "undelivered",
    SignalKind.BOUNCED: "undelivered",
}


@dataclass(frozen=True, slots=True)
class About:
    """Whom or what it is about: a message by its provider's id or its step, or a contact by any of its keys."""

    message: str | None = None
    """The provider's id: a Twilio SID, a Message-ID with its <>."""
    enrollment_id: int | None = None
    step: str | None = None
    external_id: str | None = None
    email: str | None = None
    phone: str | None = None
    channel: Literal["sms", "email"] | None = None
    """What an opt-out without a message bars; None: all channels."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Something that was heard."""

    kind: SignalKind
    about: About
    name: str | None = None
    """Of an event of one's own."""
    link: str | None = None
    """What was clicked."""
    user_agent: str | None = None
    address: str | None = None
    """The IP address that it came from."""
    at: datetime | None = None
    """Sequence time; None: now."""
    data: Mapping[str, Any] = field(default_factory=dict)
    key: str | None = None
    """The same key again is the same event."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of it."""

    event_id: int | None
    """None: it was known already."""
    contact_id: int | None
    """None: no contact has the address, which is kept all the same."""
    machine: str | None
    """The scanner or proxy that it was: nobody opened or clicked anything."""
    wakeups: list[Due]
    """To be scheduled after the COMMIT, in sequence time."""


@dataclass(frozen=True, slots=True)
class _Target:
    """Whom an event is about. A message has a row, a channel and the address that it went to."""

    contact_id: int | None
    """None: no contact has the address."""
    row_id: int | None = None
    channel: str | None = None
    addresses: Mapping[str, str] = field(default_factory=dict)
    """The address that the message went to, or those that were named, by channel: E.164, or the case-folded email."""


def take_signal(session: Session, workspace: Workspace, heard: Heard) -> Taken:
    """Write it down and act on it, in the caller's transaction; a repeat changes nothing.

    Raises:
        NotFound: nobody and nothing is known by what it is about.
        InvalidInput: it can't have happened.
    """
    _check(heard)
    now = sequence_now(session)
    if heard.at is not None and heard.at > now:
        raise InvalidInput(f"{heard.at.isoformat()} is yet to come: it is {now.isoformat()}")
    target = _target(session, workspace, heard)
    machine = machine_of(heard.user_agent, heard.address) if heard.kind in OF_MACHINES else None
    event_id = record(
        session,
        Event(
            workspace.id,
            "signal",
            heard.key or str(uuid.uuid4()),
            heard.kind.value,
            _payload(heard, machine),
            outbox_id=target.row_id,
            contact_id=target.contact_id,
            provider=PROVIDER,
            occurred_at=heard.at or now,
        ),
    )
    if event_id is None:
        return Taken(None, target.contact_id, machine, [])
    _act(session, workspace, heard.kind, target)
    log.info("event", workspace=workspace.id, event_id=event_id, says=heard.kind, contact=target.contact_id)
    if machine is not None or target.contact_id is None:
        return Taken(event_id, target.contact_id, machine, [])
    return Taken(event_id, target.contact_id, None, heed(session, target.contact_id, now.timestamp()))


def _act(session: Session, workspace: Workspace, kind: SignalKind, target: _Target) -> None:
    if kind in DELIVERY and target.row_id is not None:
        status = DELIVERY[kind]
        session.execute(MOVE, {"status": status, "row": target.row_id, "replaceable": replaceable_by(status)})
    match kind:
        case SignalKind.REPLIED if target.contact_id is not None:
            leave_for(session, Happened(workspace.id, target.contact_id, "replied"))
        case SignalKind.BOUNCED:
            if target.contact_id is not None and target.addresses.items() <= _addresses(session, target).items():
                leave_for(session, Happened(workspace.id, target.contact_id, "bounced"))
            _suppress(session, workspace.id, target.addresses, "bounced")
        case SignalKind.COMPLAINED:
            if target.contact_id is not None:
                leave_for(session, Happened(workspace.id, target.contact_id, COMPLAINED))
            _opt_out(session, workspace, target, COMPLAINED)
        case SignalKind.UNSUBSCRIBED:
            _opt_out(session, workspace, target, UNSUBSCRIBED)
        case _:
            pass


def _opt_out(session: Session, workspace: Workspace, target: _Target, reason: str) -> None:
    """Contact the person no more: on the channel of the message, or on every channel.

    Suppress the address that the message went to; without a message, the addresses that the contact has.
    """
    channels = channels_of(workspace.opt_out_scope, target.channel)
    if target.contact_id is not None:
        leave_for(session, Happened(workspace.id, target.contact_id, UNSUBSCRIBED))
        opt_out_contact(session, workspace.id, target.contact_id, channels, reason)
    if target.row_id is None:
        current = _addresses(session, target)
        named = {channel: current[channel] for channel in current if target.channel in (None, channel)}
        _suppress(session, workspace.id, named, reason)
    _suppress(session, workspace.id, target.addresses, reason)


def _suppress(session: Session, workspace_id: int, addresses: Mapping[str, str], reason: str) -> None:
    for channel, address in addresses.items():
        suppress(session, workspace_id, channel, address, reason)


def _addresses(session: Session, target: _Target) -> dict[str, str]:
    """Return the addresses that a contact has now, by channel."""
    row = session.execute(ADDRESSES, (target.contact_id,)).fetchone()
    return {} if row is None else _by_channel(*row)


def _by_channel(email: str | None, phone: str | None) -> dict[str, str]:
    return {channel: address for channel, address in (("email", email), ("sms", phone)) if address is not None}


def _check(heard: Heard) -> None:
    if (heard.kind is SignalKind.CUSTOM) != (heard.name is not None):
        raise InvalidInput("an event of your own, and no other, has a name")
    if heard.name is not None and not 0 < len(heard.name.strip()) <= 200:
        raise InvalidInput("the name of an event is 1 to 200 characters")
    if heard.link is not None and heard.kind is not SignalKind.CLICKED:
        raise InvalidInput(f"an event {heard.kind} has no link")
    if heard.key is not None and not 0 < len(heard.key) <= 255:
        raise InvalidInput("the key of an event is 1 to 255 characters")
    try:
        if heard.address is not None:
            ip_address(heard.address)
    except ValueError:
        raise InvalidInput(f"{heard.address!r} is no IP address") from None
    if heard.at is not None and heard.at.tzinfo is None:
        raise InvalidInput("the time of an event has a time zone, as in 2026-01-31T09:00:00Z")


def _payload(heard: Heard, machine: str | None) -> dict[str, Any]:
    given = {"name": heard.name, "link": heard.link, "user_agent": heard.user_agent, "machine": machine}
    try:
        data = json.loads(json_of("data", dict(heard.data)))
        known = json.loads(json_of("event", {name: value for name, value in given.items() if value is not None}))
    except NotStorableError as error:
        raise InvalidInput(str(error)) from None
    return {**known, **({"data": data} if data else {})}


def _target(session: Session, workspace: Workspace, heard: Heard) -> _Target:
    about = heard.about
    if about.message is not None:
        found = _found(session, BY_MESSAGE, {"workspace": workspace.id, "message": about.message})
        return _message(heard, found, f"no message {about.message!r} in this workspace")
    if about.enrollment_id is not None and about.step is not None:
        asked = {"workspace": workspace.id, "enrollment": about.enrollment_id, "step": about.step, "message": None}
        found = _found(session, BY_STEP, asked)
        detached = None if found is not None else session.execute(DETACHED, asked).fetchone()
        if detached is not None:
            raise NotFound(
                f"the steps of enrollment {about.enrollment_id} are archived, and {detached[0]} is detached:"
                f" name the contact, or run `cadenza archives attach {detached[0]}`"
            )
        return _message(heard, found, f"enrollment {about.enrollment_id} has no step {about.step!r} in this workspace")
    if heard.kind in OF_MESSAGES:
        raise InvalidInput(f"an event {heard.kind} is about a message: name its id, or its enrollment and step")
    if about.enrollment_id is not None:
        asked = {"workspace": workspace.id, "enrollment": about.enrollment_id}
        found = session.execute(OF_ENROLLMENT, asked).fetchone()
        if found is None:
            raise NotFound(f"no enrollment {about.enrollment_id} in this workspace")
        return _Target(found[0])
    return _contact(session, workspace, heard)


def _found(session: Session, queries: tuple[str, str], asked: dict[str, Any]) -> tuple[Any, ...] | None:
    """Return the row from the outbox, or else from the archive."""
    for query in queries:
        found = session.execute(query.encode(), asked).fetchone()
        if found is not None:
            return found
    return None


def _message(heard: Heard, found: tuple[Any, ...] | None, otherwise: str) -> _Target:
    if found is None:
        raise NotFound(otherwise)
    row_id, channel, status, key, contact_id, recipient = found
    if channel not in ("sms", "email"):
        raise InvalidInput(f"step {key!r} is of type {channel}, no message")
    if heard.kind in OF_MESSAGES and status not in GONE_OUT:
        raise InvalidInput(f"step {key!r} is {status}: nothing can be heard of it")
    if recipient is None:
        return _Target(contact_id, row_id, channel)
    address = recipient.casefold() if channel == "email" else recipient
    return _Target(contact_id, row_id, channel, {channel: address})


def _contact(session: Session, workspace: Workspace, heard: Heard) -> _Target:
    """Find the contact by its keys; an opt-out of an address that no contact has is kept."""
    about = heard.about
    try:
        email = email_address(about.email).casefold() if about.email is not None else None
        phone = e164(about.phone, workspace.region) if about.phone is not None else None
    except ValueError as error:
        raise InvalidInput(f"{about.email or about.phone!r} {error}") from None
    if email is None and phone is None and about.external_id is None:
        raise InvalidInput("name a message, an enrollment, or a contact by its email, phone or external id")
    asked = {"workspace": workspace.id, "external_id": about.external_id, "email": email, "phone": phone}
    found = session.execute(CONTACT, asked).fetchall()
    if not found and heard.kind in OPT_OUTS and (email is not None or phone is not None):
        return _Target(None, channel=about.channel, addresses=_by_channel(email, phone))
    if not found:
        raise NotFound("no contact has these keys in this workspace")
    if len(found) > 1:
        raise InvalidInput("these keys belong to different contacts")
    return _Target(int(found[0][0]), channel=about.channel, addresses=_by_channel(email, phone))
