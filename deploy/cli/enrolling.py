"""`cadenza enroll` and `cadenza publish`."""

import json
from typing import Annotated, Any

import typer

from deploy.cli.output import Json, WorkspaceName, report
from deploy.cli.session import opened
from engine.errors import InvalidInput
from producers.enroll import EnrollEvent
from producers.enroll import publish as publish_event


def publish(
    sequence: Annotated[str, typer.Argument(help="The key of the sequence.")],
    email: Annotated[str | None, typer.Option(help="An email address.")] = None,
    phone: Annotated[str | None, typer.Option(help="A phone number, E.164 or national.")] = None,
    external_id: Annotated[str | None, typer.Option(help="Your own id of the contact.")] = None,
    first_name: Annotated[str | None, typer.Option()] = None,
    last_name: Annotated[str | None, typer.Option()] = None,
    timezone: Annotated[str | None, typer.Option(help="An IANA name, as Europe/Paris.")] = None,
    data: Annotated[str | None, typer.Option(metavar="JSON", help="custom.* of this enrollment.")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="The same key again is the same enrollment, for ever.")
    ] = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Publish one enroll event: the contact is enrolled once, however often this is repeated."""
    values = _object(data) if data is not None else None
    with opened(workspace) as session:
        event = EnrollEvent(
            sequence=sequence,
            email=email,
            phone=phone,
            external_id=external_id,
            first_name=first_name,
            last_name=last_name,
            timezone=timezone,
            data=values,
            idempotency_key=idempotency_key,
            workspace=session.settings.workspace,
        )
        enrolled = publish_event(session.database, session.wakeups, event)
    report(
        as_json,
        {"enrollment": enrolled.enrollment_id, "created": enrolled.created},
        lambda: (
            f"enrollment {enrolled.enrollment_id}"
            + (" made" if enrolled.created else " was there already: nothing is new")
        ),
    )


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"--data is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise InvalidInput('--data: expected a JSON object, as in --data \'{"plan": "pro"}\'')
    return value
