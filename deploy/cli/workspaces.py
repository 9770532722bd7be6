"""`cadenza workspace add`, `set`, `secret` and `list`."""

from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Any, TypeAlias

import typer

from deploy.cli.output import Json, report
from deploy.cli.session import opened
from engine.errors import InvalidInput
from producers import signing, workspaces
from producers.workspace_mail import Mail
from producers.workspaces import find_workspace
from schema.counted import counted
from schema.definition.senders import MAX_TRIES

QuietHours: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="When no SMS goes out, where its recipient is: 20:00-09:00; with days, 20:00-09:00, sun 20:00-12:00;"
        " strict: 20:00-09:00 and what the law of its country and state asks for (also 21:00-08:00, strict); or off."
    ),
]


class OptOutScope(StrEnum):
    """What an opt-out bars."""

    CHANNEL = "channel"
    ALL = "all"


class Guarantee(StrEnum):
    """What becomes of an email whose end nobody answered."""

    AT_MOST_ONCE = "at_most_once"
    AT_LEAST_ONCE = "at_least_once"
    NONE = "none"


class WhileInDoubt(StrEnum):
    """What happens to a contact whose message may be an opt-out."""

    HOLD = "hold"
    GO_ON = "go-on"


app = typer.Typer(help="Make, change and list workspaces.", no_args_is_help=True)


@app.command()
def add(
    key: Annotated[str, typer.Argument(help="What the workspace is called in commands and settings.")],
    name: Annotated[str | None, typer.Option(help="For people to read; the key otherwise.")] = None,
    timezone: Annotated[str | None, typer.Option(help="An IANA name, as Europe/Paris; UTC otherwise.")] = None,
    region: Annotated[str | None, typer.Option(help="Whose national phone numbers are meant; US otherwise.")] = None,
    quiet_hours: QuietHours = None,
    as_json: Json = False,
) -> None:
    """Make a workspace."""
    with opened() as session, session.database.transaction() as transaction:
        made = workspaces.add(transaction, key, name=name, timezone=timezone, region=region, quiet_hours=quiet_hours)
    report(as_json, _document(made), lambda: f"workspace {made.key} made; its public id is {made.public_id}")


@app.command(name="set")
def change(
    key: Annotated[str, typer.Argument(help="The key of the workspace.")],
    name: Annotated[str | None, typer.Option(help="For people to read.")] = None,
    timezone: Annotated[str | None, typer.Option(help="An IANA name, as Europe/Paris.")] = None,
    region: Annotated[str | None, typer.Option(help="Whose national phone numbers are meant.")] = None,
    quiet_hours: QuietHours = None,
    holidays: Annotated[
        str | None, typer.Option(help="Its own days off: dates such as 2026-12-24,2026-12-31; none: it has none.")
    ] = None,
    opt_out_scope: Annotated[
        OptOutScope | None, typer.Option(help="What a STOP bars: its channel, or all channels.")
    ] = None,
    doubtful: Annotated[
        WhileInDoubt | None,
        typer.Option(help="While a message may be an opt-out: hold the contact on that channel, or go on."),
    ] = None,
    opt_out_words: Annotated[
        str | None, typer.Option(help="Its own words beside STOP and the like: raus,basta; none: it has none.")
    ] = None,
    email_from: Annotated[
        str | None,
        typer.Option("--from", help="Who its email is from: Sales <sales@example.com>; none: CADENZA_EMAIL_FROM."),
    ] = None,
    sender_name: Annotated[
        str | None, typer.Option(help="The name that its email is from; none: the one beside the address.")
    ] = None,
    max_tries: Annotated[
        int | None, typer.Option(min=1, max=MAX_TRIES, help="How many answers 'not now' a message may get.")
    ] = None,
    guarantee: Annotated[
        Guarantee | None,
        typer.Option(help="What becomes of an email whose end nobody answered; none: CADENZA_SMTP_GUARANTEE."),
    ] = None,
    reply_to: Annotated[
        str | None, typer.Option(help="Where answers to its email go: Sales <sales@example.com>; none: to the sender.")
    ] = None,
    cc: Annotated[
        list[str] | None, typer.Option(help="Who gets a copy of its email; more than once for several; none: nobody.")
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(help="A header of its email: 'X-Team: sales'; more than once for several; none: none."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Change what is given of a workspace."""
    words = None if opt_out_words is None else [] if opt_out_words.strip() == "none" else opt_out_words.split(",")
    days = None if holidays is None else [] if holidays.strip() == "none" else holidays.split(",")
    with opened() as session, session.database.transaction() as transaction:
        changed = workspaces.change(
            transaction,
            key,
            name=name,
            timezone=timezone,
            region=region,
            quiet_hours=quiet_hours,
            holidays=days,
            opt_out_scope=None if opt_out_scope is None else opt_out_scope.value,
            doubtful=None if doubtful is None else doubtful.value,
            opt_out_words=words,
            mail=Mail(
                _unless_none_text(reply_to),
                None if not cc else _unless_none(cc),
                _headers(header),
                _unless_none_text(email_from),
                _unless_none_text(sender_name),
                max_tries,
                _unless_none_text(guarantee and guarantee.value),
            ),
        )
    report(as_json, _document(changed), lambda: _line(changed))


@app.command()
def secret(
    key: Annotated[str | None, typer.Argument(help="The key of the workspace; else CADENZA_WORKSPACE.")] = None,
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Make a new one; the one before signs too for 24 hours.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the secret that signs a workspace's webhooks (standardwebhooks.com)."""
    with opened(key) as session, session.database.transaction() as transaction:
        workspace = find_workspace(transaction, session.settings.workspace)
        found = signing.rotate(transaction, workspace.id) if rotate else signing.read(transaction, workspace.id)
    report(as_json, {"workspace": workspace.key, "secret": found}, lambda: found)


@app.command(name="list")
def list_all(as_json: Json = False) -> None:
    """List the workspaces."""
    with opened() as session, session.database.transaction() as transaction:
        found = workspaces.list_workspaces(transaction)
    report(
        as_json,
        {"workspaces": [_document(workspace) for workspace in found]},
        lambda: "\n".join(map(_line, found)),
    )


def _unless_none_text(given: str | None) -> str | None:
    return "" if given == "none" else given


def _unless_none(given: list[str]) -> list[str]:
    return [] if given == ["none"] else given


def _headers(given: list[str] | None) -> dict[str, str] | None:
    if not given:
        return None
    headers: dict[str, str] = {}
    for line in _unless_none(given):
        name, colon, value = line.partition(":")
        if not colon:
            raise InvalidInput(f"--header {line!r}: write a name and a value, such as 'X-Team: sales'")
        headers[name.strip()] = value.strip()
    return headers


def _document(workspace: workspaces.Workspace) -> dict[str, Any]:
    return {**asdict(workspace), "holidays": [day.isoformat() for day in workspace.holidays]}


def _line(workspace: workspaces.Workspace) -> str:
    days_off = f"  {len(workspace.holidays)} own holidays" if workspace.holidays else ""
    words = f"  opt-out words {', '.join(workspace.opt_out_words)}" if workspace.opt_out_words else ""
    return (
        f"{workspace.key}  {workspace.name}  {workspace.timezone}  {workspace.region}  {workspace.public_id}"
        f"  quiet hours {workspace.quiet_hours}{days_off}"
        f"  opt-outs bar {'all channels' if workspace.opt_out_scope == 'all' else 'their channel'}"
        f"  doubtful messages {'hold' if workspace.doubtful == 'hold' else 'go on'}{words}"
        f"{_mail(workspace)}"
    )


def _mail(workspace: workspaces.Workspace) -> str:
    """Return what the workspace itself says of its messages."""
    said = {
        "email from": workspace.email_from,
        "sender name": workspace.sender_name,
        "replies to": workspace.reply_to,
        "guarantee": workspace.smtp_guarantee,
    }
    return f"  {counted(workspace.max_tries, 'try', 'tries')}" + "".join(
        f"  {name} {value}" for name, value in said.items() if value
    )
