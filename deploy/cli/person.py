"""`cadenza messages` and `cadenza events`: what was sent to a contact, and what came back."""

from datetime import datetime
from typing import Annotated, Any, Final, TypeAlias

import typer

from deploy.cli.output import Json, WorkspaceName, fitted, report
from deploy.cli.session import opened
from engine.outbox.person import HeardEvent, SentMessage, events_of, messages_to
from engine.rules.answers import words_of
from producers.contact_lookup import find_contact
from producers.contact_view import contact_object
from producers.workspaces import find_workspace
from schema.states import RowStatus

Contact: TypeAlias = Annotated[
    str, typer.Option("--contact", metavar="CONTACT", help="EMAIL, PHONE, its id, or external_id:X.")
]
Limit: TypeAlias = Annotated[int, typer.Option(min=1, max=10_000, help="So many at most.")]

#: So many characters of a text are shown without --full.
SHORT: Final = 100


def messages(
    contact: Contact,
    enrollment: Annotated[int | None, typer.Option(help="Those of one enrollment.")] = None,
    status: Annotated[
        list[RowStatus] | None, typer.Option(help="Those in this status, also if never handed over; may be repeated.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="The whole text.")] = False,
    limit: Limit = 50,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """List the messages that were handed over for a contact, the newest first: text, recipient, what became of it."""
    with opened(workspace) as session, session.database.transaction() as transaction:
        mine = find_workspace(transaction, session.settings.workspace)
        contact_id = find_contact(transaction, mine, contact)
        found = messages_to(
            transaction,
            mine.id,
            contact_id,
            enrollment_id=enrollment,
            statuses=[one.value for one in status] if status else None,
            limit=limit + 1,
        )
        whom = contact_object(transaction, contact_id)
    more = len(found) > limit
    document = {"contact": whom, "messages": [_message(one) for one in found[:limit]], "more": more}
    report(as_json, document, lambda: _lines([_told(one, full) for one in found[:limit]], more, "no messages"))


def events(
    contact: Contact,
    says: Annotated[
        list[str] | None, typer.Option(metavar="WORD", help="Such as replied, opened, delivered; may be repeated.")
    ] = None,
    limit: Limit = 50,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """List what was heard of a contact and of the messages to it, the newest first."""
    with opened(workspace) as session, session.database.transaction() as transaction:
        mine = find_workspace(transaction, session.settings.workspace)
        contact_id = find_contact(transaction, mine, contact)
        found = events_of(transaction, mine.id, contact_id, says=says or None, limit=limit + 1)
        whom = contact_object(transaction, contact_id)
    more = len(found) > limit
    document = {"contact": whom, "events": [_event(one) for one in found[:limit]], "more": more}
    report(as_json, document, lambda: _lines([_heard(one) for one in found[:limit]], more, "no events"))


def _lines(told: list[list[str]], more: bool, nothing: str) -> str:
    lines = [line for one in told for line in one] or [nothing]
    return fitted([*lines, *(["and more: --limit shows more"] if more else [])])


def _message(one: SentMessage) -> dict[str, Any]:
    payload = one.payload or {}
    return {
        "row": one.id,
        "enrollment_id": one.enrollment_id,
        "sequence": one.sequence,
        "step": one.step_key,
        "type": one.type,
        "status": one.status,
        "reason": one.reason,
        "due_at": one.due_at,
        "sent_at": one.sent_at,
        "handed_over_at": one.started_at,
        "recipient": one.recipient,
        "subject": payload.get("subject"),
        "text": payload.get("body") or payload.get("text"),
        "html": payload.get("html"),
        "provider_id": one.provider_id,
        "provider_says": one.detail,
        "error_code": one.error_code,
        "error_says": words_of(one.error_code),
        "delivery_status": one.delivery_status,
    }


def _told(one: SentMessage, full: bool) -> list[str]:
    document = _message(one)
    delivery = f"  delivery: {one.delivery_status}" if one.delivery_status else ""
    reason = f" ({one.reason})" if one.reason else ""
    whom = f"to {one.recipient}" if one.recipient else "not handed over"
    lines = [
        f"{_time(one.sent_at or one.due_at)}  {one.type}  {one.status}{reason}  {whom}{delivery}",
        f"    {one.sequence}, step {one.step_key}, enrollment {one.enrollment_id}, row {one.id}",
    ]
    if document["subject"]:
        lines.append(f"    subject {document['subject']!r}")
    if text := document["text"]:
        lines.append(f"    {text if full or len(text) <= SHORT else text[:SHORT] + '...'!r}")
    said = ": ".join(filter(None, [_code(one.error_code), one.detail]))
    if said:
        lines.append(f"    the provider says {said}")
    return lines


def _code(code: str | None) -> str:
    """Return a provider's code, with what it means if that is known."""
    says = words_of(code)
    return "" if code is None else f"{code} ({says})" if says else code


def _event(one: HeardEvent) -> dict[str, Any]:
    return {
        "id": one.id,
        "received_at": one.received_at,
        "occurred_at": one.occurred_at,
        "kind": one.kind,
        "says": one.says,
        "text": one.text,
        "machine": one.machine,
        "error_code": one.error_code,
        "error_says": words_of(one.error_code),
        "provider_id": one.provider_id,
        "row": one.row,
        "enrollment_id": one.enrollment_id,
        "sequence": one.sequence,
        "step": one.step_key,
    }


def _heard(one: HeardEvent) -> list[str]:
    text = f": {one.text!r}" if one.text else ""
    code = f"  {_code(one.error_code)}" if one.error_code else ""
    machine = f"  by a machine: {one.machine}" if one.machine else ""
    lines = [f"{_time(one.received_at)}  {one.says}{text}{code}{machine}"]
    if one.row is not None:
        lines.append(f"    of {one.sequence}, step {one.step_key}, enrollment {one.enrollment_id}, row {one.row}")
    return lines


def _time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else "no time yet"
