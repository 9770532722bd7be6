"""`cadenza event`: tells what was heard of a contact."""

from datetime import datetime
from typing import Annotated

import typer

from deploy.cli.enrolling import json_object
from deploy.cli.output import Json, WorkspaceName, report
from deploy.cli.session import opened, wake
from engine.errors import InvalidInput
from producers.contact_view import contact_object
from producers.signals import About, Heard, take_signal
from producers.workspaces import find_workspace
from schema.states import SignalKind


def event(
    kind: Annotated[SignalKind, typer.Argument(help="What was heard.")],
    message: Annotated[str | None, typer.Option(help="Of this message: a Twilio SID, a Message-ID.")] = None,
    enrollment: Annotated[int | None, typer.Option(help="Of its contact, or with --step its message.")] = None,
    step: Annotated[str | None, typer.Option(help="The key of the message's step.")] = None,
    email: Annotated[str | None, typer.Option(help="Of the contact with this email.")] = None,
    phone: Annotated[str | None, typer.Option(help="Of the contact with this phone.")] = None,
    external_id: Annotated[str | None, typer.Option(help="Of the contact with this id of yours.")] = None,
    name: Annotated[str | None, typer.Option(help="Of a custom event.")] = None,
    link: Annotated[str | None, typer.Option(help="What was clicked.")] = None,
    user_agent: Annotated[str | None, typer.Option(help="Who says that they opened or clicked.")] = None,
    ip: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Where it came from.")] = None,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="When, ISO 8601; now otherwise.")] = None,
    data: Annotated[str | None, typer.Option(metavar="JSON", help="More about it.")] = None,
    key: Annotated[str | None, typer.Option(help="The same key again is the same event.")] = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Tell what was heard of a contact: conditions and waits are decided by it."""
    heard = Heard(
        kind,
        About(message, enrollment, step, external_id, email, phone),
        name=name,
        link=link,
        user_agent=user_agent,
        address=ip,
        at=_moment(at),
        data=json_object(data) if data is not None else {},
        key=key,
    )
    with opened(workspace) as session:
        with session.database.transaction() as transaction:
            taken = take_signal(transaction, find_workspace(transaction, session.settings.workspace), heard)
            whom_of = None if taken.contact_id is None else contact_object(transaction, taken.contact_id)
        wake(session, taken.wakeups, "the event is taken")
    document = {"event": taken.event_id, "contact": whom_of, "machine": taken.machine}
    said = "was known already: nothing is new" if taken.event_id is None else "taken"
    by = f"; it was {taken.machine}, no person" if taken.machine is not None else ""
    whom = "an address that no contact has" if taken.contact_id is None else f"contact {taken.contact_id}"
    report(as_json, document, lambda: f"{kind.value} of {whom} {said}{by}")


def _moment(text: str | None) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"--at: {text!r} is no time: write it as in 2026-01-31T09:00:00Z") from None
