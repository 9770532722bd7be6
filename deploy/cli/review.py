"""`cadenza review`: lists what needs a person, and takes the decision."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from deploy.cli.output import SHOWN, Json, fitted, report
from deploy.cli.session import Open, opened, wake
from engine.clock import SequenceClock
from engine.errors import InvalidInput
from engine.outbox.contact_holds import count_doubtful
from engine.rules.answers import words_of
from producers.contact_view import contact_object
from producers.doubtful import Doubtful, Reading, doubtful_messages, read_message
from producers.review import Decision, Review, count_reviews, decide, reviews
from producers.workspaces import find_workspace
from schema.counted import counted

#: What a note says that Redis is away.
STANDS: Final = "the decision stands"


class Verdict(StrEnum):
    """Every decision that there is."""

    SENT = Decision.SENT.value
    RESEND = Decision.RESEND.value
    SKIP = Decision.SKIP.value
    STOP = Reading.STOP.value
    IGNORE = Reading.IGNORE.value


def review(
    row: Annotated[int | None, typer.Argument(help="The row to decide, or with --messages the message.")] = None,
    verdict: Annotated[
        Verdict | None,
        typer.Argument(
            metavar="DECISION",
            help="Of a row: sent: it was accepted; resend: send it again; skip: leave it. Of a message: stop: they"
            " want no more; ignore: they mean something else.",
        ),
    ] = None,
    unknown: Annotated[bool, typer.Option("--unknown", help="List rows in doubt too.")] = False,
    messages: Annotated[
        bool, typer.Option("--messages", help="Messages that may be opt-outs, instead of rows.")
    ] = False,
    workspace: Annotated[
        str | None,
        typer.Option("--workspace", "-w", help="List those of one workspace; decide in it (else CADENZA_WORKSPACE)."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List what needs a decision, with all evidence; or decide it."""
    if (row is None) != (verdict is None):
        raise InvalidInput("review: give both the row and the decision, as in `cadenza review 42 sent`, or neither")
    with opened(workspace) as session:
        if row is None or verdict is None:
            (_list_messages if messages else _list_rows)(session, workspace, unknown, as_json)
            return
        (_read if messages else _decide)(session, row, verdict)
    report(as_json, {"message" if messages else "row": row, "decision": verdict.value}, lambda: _done(row, verdict))


def _list_rows(session: Open, workspace: str | None, unknown: bool, as_json: bool) -> None:
    with session.database.transaction() as transaction:
        workspace_id = find_workspace(transaction, workspace).id if workspace else None
        found = reviews(transaction, workspace_id, unknown=unknown, limit=None if as_json else SHOWN)
        count = len(found) if as_json else count_reviews(transaction, workspace_id, unknown=unknown)
        messages = doubtful_messages(transaction, workspace_id, limit=None if as_json else SHOWN)
        in_doubt = len(messages) if as_json else count_doubtful(transaction, workspace_id)
    document = {
        "rows": [asdict(one) for one in found],
        "messages": [_message(session, one) for one in messages],
        "doubtful_messages": in_doubt,
    }
    told = [*map(_told, found), *map(_told_message, messages)]
    report(as_json, document, lambda: _text(told, count + in_doubt))


def _list_messages(session: Open, workspace: str | None, _unknown: bool, as_json: bool) -> None:
    with session.database.transaction() as transaction:
        workspace_id = find_workspace(transaction, workspace).id if workspace else None
        found = doubtful_messages(transaction, workspace_id, limit=None if as_json else SHOWN)
        count = len(found) if as_json else count_doubtful(transaction, workspace_id)
    document = {"messages": [_message(session, one) for one in found]}
    report(as_json, document, lambda: _text([_told_message(one) for one in found], count))


def _message(session: Open, message: Doubtful) -> dict[str, Any]:
    document = asdict(message)
    contact_id = document.pop("contact_id")
    with session.database.transaction() as transaction:
        return {**document, "contact": None if contact_id is None else contact_object(transaction, contact_id)}


def _decide(session: Open, row: int, verdict: Verdict) -> None:
    if verdict in (Verdict.STOP, Verdict.IGNORE):
        raise InvalidInput(f"review: a row is decided by sent, resend or skip, not by {verdict.value}")
    with session.database.transaction() as transaction:
        workspace_id = find_workspace(transaction, session.settings.workspace).id
        clock = SequenceClock(session.database)
        resolved = decide(transaction, clock, workspace_id, row, Decision(verdict.value))
    wake(session, resolved.wakeups, STANDS)


def _read(session: Open, message: int, verdict: Verdict) -> None:
    if verdict not in (Verdict.STOP, Verdict.IGNORE):
        raise InvalidInput(f"review: a message is decided by stop or ignore, not by {verdict.value}")
    with session.database.transaction() as transaction:
        workspace_id = find_workspace(transaction, session.settings.workspace).id
        woken = read_message(transaction, workspace_id, message, Reading(verdict.value))
    wake(session, woken, STANDS)


def _done(row: int, verdict: Verdict) -> str:
    return f"{'message' if verdict in (Verdict.STOP, Verdict.IGNORE) else 'row'} {row}: {verdict.value}"


def _text(told: Sequence[str], count: int) -> str:
    more = [f"and {count - len(told):,} more: --json lists all"] if count > len(told) else []
    return "\n\n".join([*told, *more]) or "nothing needs a decision"


def _told(row: Review) -> str:
    head = f"row {row.id}  {row.workspace}/{row.sequence}/{row.step_key}  {row.type}  enrollment {row.enrollment_id}"
    lines = [head, f"  {row.status}: {row.reason or '-'}"]
    for attempt in row.attempts:
        lines.append(
            f"  attempt {_utc(datetime.fromisoformat(attempt['started_at']))} to {attempt['recipient']}:"
            f" {attempt['outcome'] or 'no outcome'}{_code(attempt['error_code'])}; {attempt['detail'] or '-'}"
            f"; looked up {counted(attempt['looks'], 'time')} in vain; provider id {attempt['provider_id'] or '-'}"
        )
        text = attempt["payload"].get("body") or attempt["payload"].get("subject") or ""
        lines.append(f"    {text[:100]!r}")
    return fitted(lines)


def _code(code: str | None) -> str:
    """Return a provider's code, with what it means if that is known."""
    if not code:
        return ""
    says = words_of(code)
    return f" {code} ({says})" if says else f" {code}"


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _told_message(message: Doubtful) -> str:
    contact = "nobody known" if message.contact_id is None else f"contact {message.contact_id}"
    head = f"message {message.id}  {message.workspace}  {_utc(message.received_at)}  {message.sender} ({contact})"
    held = "; the contact gets no SMS until you decide" if message.on_hold else ""
    return (
        f"{head}\n  {message.body!r}\n  may be an opt-out{held}:"
        f" `cadenza review --messages {message.id} stop` or `ignore`"
    )
