"""Delivery reports: what Twilio tells of a message that it took, in whatever order, and however often."""

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import structlog

from engine.clock import SequenceClock, sequence_now
from engine.database import Session
from engine.outbox.decide import heed_report
from engine.outbox.evidence import Evidence, accept_evidence
from engine.outbox.leave import leave
from engine.rules.answers import suppressed_by
from engine.rules.delivery_status import RANKS, replaceable_by
from engine.wakeups import Due
from producers.events import Event, record
from producers.inbound import CHANNEL, contact_with, phone_of
from producers.suppressions import UNSUBSCRIBED, channels_of, opt_out_contact, suppress
from producers.tenants import Tenant
from producers.undeliverable import DELIVERED, note_reached, note_undelivered, says_something

log = structlog.get_logger(__name__)

#: Of several rows with the same message, which only a wrong token makes, the oldest: the same whoever asks.
ROW_OF_MESSAGE: Final = """
SELECT (array_agg(id ORDER BY id))[1] FROM outbox WHERE workspace_id = %(workspace)b AND provider_id = %(provider_id)b
"""

CONTACT_OF_ROW: Final = """
SELECT e.contact_id FROM outbox o JOIN enrollments e ON e.id = o.enrollment_id WHERE o.id = %s AND o.workspace_id = %s
"""

#: Forward only, and what went wrong is kept; not for a row that another message was sent for.
MOVE: Final = """
UPDATE outbox SET delivery_status = %(status)b, error_code = coalesce(%(error_code)b, error_code)
WHERE workspace_id = %(workspace)b AND id = %(row)b AND (provider_id IS NULL OR provider_id = %(provider_id)b)
    AND (delivery_status IS NULL OR delivery_status = ANY(%(replaceable)b::text[]))
"""


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """A status callback."""

    provider_id: str
    status: str
    """Twilio's MessageStatus."""
    error_code: str | None
    recipient: str = field(repr=False)
    attempt: tuple[int, int] | None
    """The row and the fence that the callback's token names; None: the URL had no token."""
    payload: dict[str, Any] = field(repr=False)


class Told(NamedTuple):
    """A report, and the workspace whose URL was called."""

    tenant: Tenant
    report: DeliveryReport


def take_report(session: Session, clock: SequenceClock, tenant: Tenant, report: DeliveryReport) -> list[Due]:
    """Write a report down, in the caller's transaction; give the wake-ups that follow. A repeat changes nothing.

    That Twilio speaks of a message proves that it took it, whatever it says: the row is no longer in doubt.
    """
    row_id, fence = report.attempt or (_row_of_message(session, tenant.id, report.provider_id), None)
    event_id = record(
        session,
        Event(
            tenant.id,
            "status",
            report.provider_id,
            report.status,
            report.payload,
            outbox_id=row_id,
            fence=fence,
            error_code=report.error_code,
        ),
    )
    if event_id is None:
        return []
    wakeups: list[Due] = []
    if row_id is not None and fence is not None:
        wakeups = accept_evidence(session, clock, Evidence(tenant.id, row_id, fence, report.provider_id))
    if row_id is not None and report.status in RANKS:
        _move(session, tenant.id, row_id, report)
        wakeups += heed_report(session, row_id, sequence_now(session).timestamp())
    _note_number(session, tenant, row_id, report)
    log.debug("delivery report", workspace=tenant.id, event_id=event_id, row=row_id, status=report.status)
    return wakeups


def _move(session: Session, workspace_id: int, row_id: int, report: DeliveryReport) -> None:
    session.execute(
        MOVE,
        {
            "workspace": workspace_id,
            "row": row_id,
            "provider_id": report.provider_id,
            "status": report.status,
            "error_code": report.error_code,
            "replaceable": replaceable_by(report.status),
        },
        binary=True,
    )


def _note_number(session: Session, tenant: Tenant, row_id: int | None, report: DeliveryReport) -> None:
    """Note what the report says of the number that the message went to, whatever the contact's number is now."""
    phone = phone_of(report.recipient, tenant.region)
    if phone is None:
        return
    if report.status == DELIVERED:
        note_reached(session, [(tenant.id, phone)])
    if suppressed_by(report.error_code) == UNSUBSCRIBED:
        _unsubscribe(session, tenant, row_id, phone)
    elif says_something(report.status, report.error_code) and report.error_code is not None:
        note_undelivered(session, tenant.id, phone, report.error_code)


def _unsubscribe(session: Session, tenant: Tenant, row_id: int | None, phone: str) -> None:
    """Contact no more whom Twilio says has unsubscribed: with a Messaging Service its 21610 may come this late."""
    written_to = None if row_id is None else session.execute(CONTACT_OF_ROW, (row_id, tenant.id)).fetchone()
    owner = contact_with(session, tenant.id, phone)
    person = owner if written_to is None else int(written_to[0])
    for contact_id in sorted({contact for contact in (person, owner) if contact is not None}):
        leave(session, tenant.id, contact_id, UNSUBSCRIBED, only_where_asked=True)
    if person is not None:
        opt_out_contact(session, tenant.id, person, channels_of(tenant.opt_out_scope, CHANNEL), UNSUBSCRIBED)
    suppress(session, tenant.id, CHANNEL, phone, UNSUBSCRIBED)


def is_plain(report: DeliveryReport) -> bool:
    """Return whether a report suppresses nobody, and counts towards nothing that does."""
    return suppressed_by(report.error_code) is None and not says_something(report.status, report.error_code)


def _row_of_message(session: Session, workspace_id: int, provider_id: str) -> int | None:
    row = session.execute(
        ROW_OF_MESSAGE, {"workspace": workspace_id, "provider_id": provider_id}, binary=True
    ).fetchone()
    return None if row is None or row[0] is None else int(row[0])
