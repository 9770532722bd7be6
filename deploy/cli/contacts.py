"""`cadenza contact show`, `set`, `merge` and `delete`."""

from dataclasses import asdict
from typing import Annotated, Any, Final

import typer

from deploy.cli.confirming import Yes, confirm
from deploy.cli.control import By, Reason, operator
from deploy.cli.enrolling import json_object
from deploy.cli.output import Json, WorkspaceName, report, table
from deploy.cli.session import opened, wake
from engine.clock import sequence_now
from producers import contact_edits, contact_erasing, contact_merging
from producers.contact_edits import Edit
from producers.contact_lookup import find_contact
from producers.contact_view import ContactView, contact_object, view
from producers.workspaces import find_workspace
from schema.counted import counted

HELP: Final = "EMAIL, PHONE, the contact's id, or external_id:X."
Contact = Annotated[str, typer.Argument(help=HELP, metavar="CONTACT")]

app = typer.Typer(help="Show, correct, merge or erase a contact.", no_args_is_help=True)


@app.command()
def show(contact: Contact, workspace: WorkspaceName = None, as_json: Json = False) -> None:
    """Show a contact: keys, opt-outs and suppressions, enrollments, and the last messages and events."""
    with opened(workspace) as session, session.database.transaction(snapshot=True) as transaction:
        mine = find_workspace(transaction, session.settings.workspace)
        found = view(transaction, mine.id, find_contact(transaction, mine, contact))
    report(as_json, asdict(found), lambda: _text(found))


@app.command(name="set")
def change(
    contact: Contact,
    email: Annotated[str | None, typer.Option(help="Another email; empty: none.")] = None,
    phone: Annotated[str | None, typer.Option(help="Another phone; empty: none.")] = None,
    external_id: Annotated[str | None, typer.Option(help="Another id of yours; empty: none.")] = None,
    first_name: Annotated[str | None, typer.Option()] = None,
    last_name: Annotated[str | None, typer.Option()] = None,
    timezone: Annotated[str | None, typer.Option(help="Such as Europe/Paris; empty: the workspace's.")] = None,
    data: Annotated[str | None, typer.Option(metavar="JSON", help='Attributes: \'{"plan": "pro"}\'.')] = None,
    unset: Annotated[list[str] | None, typer.Option(metavar="NAME", help="An attribute to remove.")] = None,
    reason: Reason = None,
    by: By = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Correct a contact: its keys, its name, its time zone or its attributes."""
    wanted = Edit(
        external_id, email, phone, first_name, last_name, timezone, json_object(data) if data else {}, unset or ()
    )
    with opened(workspace) as session:
        with session.database.transaction() as transaction:
            mine = find_workspace(transaction, session.settings.workspace)
            found = find_contact(transaction, mine, contact)
            who = operator(session, by, reason)
            now = sequence_now(transaction).timestamp()
            edited = contact_edits.edit(transaction, mine, who, found, wanted, now)
            whom = contact_object(transaction, found)
        wake(session, edited.wakeups, "the contact is changed")
    document = {"contact": whom, "changes": {name: list(pair) for name, pair in edited.changes.items()}}
    changed = "\n".join(f"{name}: {before!r} -> {after!r}" for name, (before, after) in edited.changes.items())
    report(as_json, document, lambda: f"contact {found}\n{changed}" if changed else f"contact {found}: nothing is new")


@app.command()
def merge(
    keep: Annotated[str, typer.Argument(help=f"Who stays: {HELP}", metavar="KEEP")],
    other: Annotated[str, typer.Argument(help="Who is merged into it.", metavar="OTHER")],
    yes: Yes = False,
    reason: Reason = None,
    by: By = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Make one contact of two: its enrollments, events and opt-outs are united."""
    with opened(workspace) as session:
        with session.database.transaction() as transaction:
            mine = find_workspace(transaction, session.settings.workspace)
            first, second = (find_contact(transaction, mine, one) for one in (keep, other))
            planned = contact_merging.plan_merge(transaction, first, second)
        ending = f" of which {len(planned.ended):,} will end" if planned.ended else ""
        moving = f"{counted(planned.enrollments, 'enrollment')}{ending}"
        confirm(f"this merges contact {second}, with {moving}, into contact {first}", yes)
        with session.database.transaction() as transaction:
            done = contact_merging.merge(transaction, mine, operator(session, by, reason), first, second)
        wake(session, done.wakeups, "the contacts are merged")
    document = {"keep": first, "other": second, "enrollments": done.enrollments, "ended": done.ended}
    report(as_json, document, lambda: f"contact {second} is merged into contact {first}")


@app.command()
def delete(
    contact: Contact,
    erase: Annotated[bool, typer.Option("--erase", help="Cancel its running enrollments first.")] = False,
    yes: Yes = False,
    reason: Reason = None,
    by: By = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Erase the personal data of a contact. Whoever opted out stays barred, and counts stay."""
    with opened(workspace) as session:
        with session.database.transaction() as transaction:
            mine = find_workspace(transaction, session.settings.workspace)
            found = find_contact(transaction, mine, contact)
        confirm(f"this erases the personal data of contact {found} for ever", yes)
        with session.database.transaction() as transaction:
            who = operator(session, by, reason)
            ended = contact_erasing.erase(transaction, mine, who, found, end=erase)
            whom = contact_object(transaction, found)
    said = f"; {counted(len(ended), 'enrollment')} ended" if ended else ""
    report(as_json, {"contact": whom, "ended": ended}, lambda: f"contact {found} is erased{said}")


def _text(found: ContactView) -> str:
    contact = found.contact
    rows: list[tuple[str, Any]] = [
        (name.replace("_", " "), contact[name])
        for name in ("id", "external_id", "email", "phone", "first_name", "last_name", "timezone")
        if contact[name] is not None
    ]
    rows += [(f"custom.{name}", value) for name, value in contact["attributes"].items()]
    if contact["tags"]:
        rows.append(("tags", ", ".join(contact["tags"])))
    parts = [table(rows)]
    for title, lines in (
        ("barred", [_barred(one) for one in found.barred]),
        ("enrollments", [_enrollment(one) for one in found.enrollments]),
        ("messages, times in UTC", [_message(one) for one in found.messages]),
        ("events, times in UTC", [_event(one) for one in found.events]),
    ):
        if lines:
            parts.append("\n".join([f"{title}:", *(f"  {line}" for line in lines)]))
    return "\n\n".join(parts)


def _barred(one: dict[str, Any]) -> str:
    whose = "the person" if one["person"] else "the address"
    return f"{one['channel']}  {one['reason']}{': ' + one['note'] if one['note'] else ''} ({whose})"


def _enrollment(one: dict[str, Any]) -> str:
    standing = one["status"] if one["exit_reason"] is None else f"{one['status']} ({one['exit_reason']})"
    return f"{one['enrollment_id']}  {one['sequence']}, version {one['version']}  {standing}"


def _message(one: dict[str, Any]) -> str:
    code = f" {one['error_code']}" if one["error_code"] else ""
    text = " ".join((one["text"] or "").split())[:60]
    outcome = one["delivery"] or one["outcome"] or "on its way"
    return f"{one['at']:%Y-%m-%d %H:%M}  {one['channel']:<5}  {one['recipient']}  {outcome}{code}  {text}"


def _event(one: dict[str, Any]) -> str:
    when = "-" if one["occurred_at"] is None else f"{one['occurred_at']:%Y-%m-%d %H:%M}"
    return f"{when}  {one['status']}  {one['text'] or ''}".rstrip()
