"""Inbound text messages: opt-outs and their return, calls for help, and replies."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import structlog

from engine.clock import sequence_now
from engine.database import Session
from engine.outbox.contact_holds import let_go_all, put_on_hold
from engine.outbox.decide import heed
from engine.outbox.hold_contacts import hold_contacts
from engine.outbox.sweep import wakeups_of
from engine.rules.opt_out import OptOut, classify
from engine.wakeups import Due
from producers.events import Event, record
from producers.leaving import Happened, leave_for
from producers.phones import E164, e164
from producers.suppressions import (
    STOP,
    UNSUBSCRIBED,
    Scope,
    channels_of,
    has_opted_out,
    lift,
    opt_in_contact,
    opt_out_contact,
    suppress,
)
from producers.tenants import Tenant
from producers.undeliverable import note_reached

log = structlog.get_logger(__name__)

CHANNEL: Final = "sms"

#: What is an answer, or may be one.
REPLIES: Final = (OptOut.NONE, OptOut.DOUBTFUL)

CONTACT: Final = "SELECT id FROM contacts WHERE workspace_id = %s AND phone = %s"


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """A text message that somebody sent to a number of ours."""

    provider_id: str
    sender: str = field(repr=False)
    body: str = field(repr=False)
    opt_out_type: str | None
    """What Twilio's Advanced Opt-Out made of it (its OptOutType), where that is switched on."""
    payload: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Received:
    """What a message says, and what follows."""

    says: OptOut
    wakeups: list[Due]
    """To be scheduled after the COMMIT, in sequence time."""


class Written(NamedTuple):
    """A message, and the workspace whose URL was called."""

    tenant: Tenant
    message: InboundMessage


def receive(session: Session, tenant: Tenant, message: InboundMessage) -> Received:
    """Do what a message asks for, all in the caller's transaction; tell what it says. A repeat changes nothing.

    From the COMMIT on nothing more begins for somebody who said STOP: what was not handed over by then is cancelled,
    and whoever is about to look finds the suppression (docs/decisions/0011-stop-without-a-race.md).
    """
    phone = phone_of(message.sender, tenant.region)
    contact_id = contact_with(session, tenant.id, phone)
    stopped = phone is not None and has_opted_out(session, tenant.id, CHANNEL, phone, contact_id)
    says = classify(message.body, message.opt_out_type, stopped=stopped, words=tenant.opt_out_words)
    status = "reply" if says is OptOut.NONE else says.value
    event_id = record(
        session,
        Event(tenant.id, "inbound", message.provider_id, status, message.payload, contact_id=contact_id),
    )
    if event_id is None:
        return Received(says, [])
    wakeups = _act(session, tenant, phone, contact_id, says, event_id)
    log.info("inbound message", workspace=tenant.id, event_id=event_id, contact=contact_id, says=status)
    if contact_id is None or says not in REPLIES:
        return Received(says, wakeups)
    return Received(says, [*wakeups, *heed(session, contact_id, sequence_now(session).timestamp())])


def receive_all(session: Session, written: Sequence[Written]) -> list[Received]:
    """Do what messages ask for, in the caller's transaction and in their order."""
    if len(written) > 1:
        phones = [(tenant.id, phone_of(message.sender, tenant.region)) for tenant, message in written]
        contacts = [contact_with(session, workspace_id, phone) for workspace_id, phone in phones]
        hold_contacts(session, [contact_id for contact_id in contacts if contact_id is not None])
    return [receive(session, tenant, message) for tenant, message in written]


def _act(
    session: Session, tenant: Tenant, phone: str | None, contact_id: int | None, says: OptOut, event_id: int
) -> list[Due]:
    """Do what the message asks for; return the wake-ups of what may go on."""
    if phone is not None:
        note_reached(session, [(tenant.id, phone)])  # somebody writes from it
    match says:
        case OptOut.STOP:
            opt_out(session, tenant.id, tenant.opt_out_scope, phone, contact_id)
        case OptOut.START:
            return _opt_in(session, tenant, phone, contact_id)
        case OptOut.DOUBTFUL | OptOut.NONE:
            if contact_id is not None and says is OptOut.DOUBTFUL and tenant.doubtful == "hold":
                put_on_hold(session, tenant.id, contact_id, CHANNEL, event_id)
            if contact_id is not None:
                leave_for(session, Happened(tenant.id, contact_id, "replied"))
        case OptOut.HELP:
            pass
    return []


def opt_out(session: Session, workspace_id: int, scope: Scope, phone: str | None, contact_id: int | None) -> None:
    """Write to the phone and to the person no more, and end the contact's enrollments."""
    if contact_id is not None:
        leave_for(session, Happened(workspace_id, contact_id, UNSUBSCRIBED))  # first: it waits for what is being begun
        opt_out_contact(session, workspace_id, contact_id, channels_of(scope, CHANNEL), STOP)
    if phone is not None:
        suppress(session, workspace_id, CHANNEL, phone, STOP)


def _opt_in(session: Session, tenant: Tenant, phone: str | None, contact_id: int | None) -> list[Due]:
    if phone is not None:
        lift(session, tenant.id, CHANNEL, phone)
    if contact_id is None:
        return []
    opt_in_contact(session, contact_id, channels_of(tenant.opt_out_scope, CHANNEL))
    return wakeups_of(session, let_go_all(session, contact_id, CHANNEL))


def phone_of(address: str, region: str) -> str | None:
    """The phone in the one spelling that contacts have; None: the address is none, as a short code or a name."""
    try:
        return e164(address, region)
    except ValueError:
        return address if E164.fullmatch(address) else None


def contact_with(session: Session, workspace_id: int, phone: str | None) -> int | None:
    """The contact with that phone, if the workspace has one."""
    row = None if phone is None else session.execute(CONTACT, (workspace_id, phone)).fetchone()
    return None if row is None else int(row[0])
