"""Delivery reports: what Twilio tells of a message that it took, in whatever order, and however often."""

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import structlog

from engine.clock import SequenceClock, sequence_now
from engine.database import Session
from engine.outbox.decide import heed_report
from engine.outbox.evidence import Evidence, accept_evidence
from engine.outbox.leave import leave
from engine.rules.answers import twilio_outcome
from engine.rules.delivery_status import RANKS, replaceable_by
from engine.wakeups import Due
from producers.events import Event, record
from producers.inbound import CHANNEL, contact_with, phone_of
from producers.suppressions import suppress
from producers.tenants import Tenant

log = structlog.get_logger(__name__)

#: Of several rows with the same message, which only a wrong token makes, the oldest: the same whoever asks.
ROW_OF_MESSAGE: Final = """
SELECT (array_agg(id ORDER BY id))[1] FROM outbox WHERE workspace_id = %(workspace)b AND provider_id = %(provider_id)b
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
    if report.error_code is not None:
        _heed(session, tenant, report)
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


def _heed(session: Session, tenant: Tenant, report: DeliveryReport) -> None:
    """Contact no more whom Twilio says has unsubscribed: with a Messaging Service its 21610 may come this late."""
    reason = suppresses(report)
    phone = phone_of(report.recipient, tenant.region)
    if reason is None or phone is None:
        return
    contact_id = contact_with(session, tenant.id, phone)
    if contact_id is not None:
        leave(session, tenant.id, contact_id, reason, only_where_asked=True)
    suppress(session, tenant.id, CHANNEL, phone, reason)


def suppresses(report: DeliveryReport) -> str | None:
    """Return why the recipient must not be contacted any more, if that is what the error code says."""
    return None if report.error_code is None else twilio_outcome(400, _number(report.error_code)).suppress


def _row_of_message(session: Session, workspace_id: int, provider_id: str) -> int | None:
    row = session.execute(
        ROW_OF_MESSAGE, {"workspace": workspace_id, "provider_id": provider_id}, binary=True
    ).fetchone()
    return None if row is None or row[0] is None else int(row[0])


def _number(code: str | None) -> int | None:
    return int(code) if code is not None and code.isascii() and code.isdigit() else None
