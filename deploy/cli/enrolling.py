"""`cadenza enroll` and `cadenza publish`."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from deploy.cli.output import IN_PART, Json, WorkspaceName, note, report, table
from deploy.cli.progress import EnrollProgress
from deploy.cli.session import opened
from deploy.cli.signals import told_to_stop
from engine.errors import InvalidInput
from producers.bulk.run import BulkReport, run_bulk
from producers.enroll_event import EnrollEvent
from producers.enroll_event import publish as publish_event
from schema.counted import counted


def enroll(
    sequence: Annotated[str, typer.Argument(help="The key of the sequence.")],
    file: Annotated[str, typer.Argument(help="CSV or NDJSON; - for standard input.")],
    batch: Annotated[
        str | None, typer.Option(metavar="NAME", help="Makes the run resumable: the same again goes on.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, enroll nobody.")] = False,
    rejects: Annotated[
        str | None, typer.Option(metavar="FILE", help="Where rejected lines go; FILE.rejected.csv otherwise.")
    ] = None,
    form: Annotated[
        str | None, typer.Option("--format", help="csv or ndjson; by the name of the file otherwise.")
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="As latin-1; detected otherwise.")] = None,
    region: Annotated[
        str | None, typer.Option(help="Whose national phone numbers are meant; the workspace's otherwise.")
    ] = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Enroll the contacts of a file, each once; rejected lines are told with their reasons."""
    with told_to_stop() as stop, opened(workspace) as session, EnrollProgress() as progress:
        done = run_bulk(
            session.database,
            session.wakeups,
            session.settings.workspace,
            sequence,
            file,
            batch=batch,
            dry_run=dry_run,
            rejects_path=rejects,
            format=form,
            encoding=encoding,
            region=region,
            progress=progress.show,
            stop=stop.is_set,
        )
    for warning in _warnings(done):
        note(f"cadenza: {warning}")
    report(as_json, {"dry_run": dry_run, **asdict(done)}, lambda: _text(done, dry_run))
    if done.rejected or not done.complete:
        raise typer.Exit(IN_PART)


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
    values = json_object(data) if data is not None else None
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
    for warning in enrolled.warnings:
        note(f"cadenza: {warning}")
    report(
        as_json,
        {
            "enrollment_id": enrolled.enrollment_id,
            "created": enrolled.created,
            "warnings": list(enrolled.warnings),
            "contact_changes": {name: list(pair) for name, pair in enrolled.contact_changes.items()},
        },
        lambda: (
            f"enrollment {enrolled.enrollment_id}"
            + (" made" if enrolled.created else " was there already: nothing is new")
            + "".join(
                f"\ncontact {enrolled.contact_id}: {name} changed from {before!r} to {after!r}"
                for name, (before, after) in enrolled.contact_changes.items()
            )
        ),
    )


def json_object(text: str) -> dict[str, Any]:
    """What --data says.

    Raises:
        InvalidInput: it is no JSON object.
    """
    expected = 'expected a JSON object, as in --data \'{"plan": "pro"}\''
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"--data is no JSON ({error}): {expected}") from None
    except RecursionError:
        raise InvalidInput(f"--data is nested too deep: {expected}") from None
    if not isinstance(value, dict):
        raise InvalidInput(f"--data: {expected}")
    return value


def _warnings(done: BulkReport) -> list[str]:
    """What a user should know, a line each."""
    used = f"; {done.workspace_timezone}, the workspace's zone, is used instead"
    said = [
        f"{counted(count, 'line')} ({_first(done.warning_lines[column], count)}):"
        f" {column} was invalid and is not needed by the sequence: left out{used if column == 'timezone' else ''}"
        for column, count in done.warnings.items()
    ]
    said += [
        f"{counted(dates.count, 'line')} ({_first(dates.lines, dates.count)}): {attribute} can't be read as a date;"
        f" the first: {dates.first}"
        for attribute, dates in done.unread_dates.items()
    ]
    if done.short_lines:
        said.append(
            f"{counted(done.short_lines, 'line')} with fewer columns than the header: the last columns are empty"
        )
    if done.latin1_lines:
        said.append(f"{counted(done.latin1_lines, 'line')} not in UTF-8, read as latin-1")
    if done.wakeups_warning is not None:
        said.append(f"{done.wakeups_warning}; the enrollments stand, and the sweeper makes up for their wake-ups")
    if not done.complete:
        said.append("stopped before the end: nothing is half done, and the same command goes on")
    return said


def _first(lines: Sequence[int], count: int) -> str:
    """Return the first of a number of lines."""
    more = ", ..." if len(lines) < count else ""
    return ", ".join(map(str, lines)) + more


def _text(done: BulkReport, dry_run: bool) -> str:
    rows: list[tuple[str, Any]] = [
        ("records", f"{done.records:,}"),
        ("would be enrolled" if dry_run else "enrolled", f"{done.enrolled:,}"),
        ("repeats", f"{done.repeats:,}"),
        ("rejected", f"{done.rejected:,}"),
    ]
    if done.resumed_at:
        rows.append(("done by earlier runs", f"{done.resumed_at:,} records"))
    if done.rejects_path is not None:
        rows.append(("rejects file", done.rejects_path))
    return table(rows)
