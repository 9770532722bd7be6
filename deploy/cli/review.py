"""`cadenza review`: lists rows that need a decision, and takes it."""

from dataclasses import asdict
from typing import Annotated

import typer

from deploy.cli.output import Json, WorkspaceName, note, report
from deploy.cli.session import Open, opened
from engine.clock import SequenceClock
from engine.errors import InvalidInput
from engine.wakeups import WakeupsUnavailable
from producers.review import Decision, Review, decide, reviews
from producers.workspaces import find_workspace


def review(
    row: Annotated[int | None, typer.Argument(help="The row to decide.")] = None,
    decision: Annotated[
        Decision | None, typer.Argument(help="sent: it was accepted; resend: send it again; skip: leave it.")
    ] = None,
    unknown: Annotated[bool, typer.Option("--unknown", help="List rows in doubt too.")] = False,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """List the rows that need a decision, with all evidence; or decide one."""
    if (row is None) != (decision is None):
        raise InvalidInput("review: give both the row and the decision, as in `cadenza review 42 sent`, or neither")
    with opened(workspace) as session:
        if row is None or decision is None:
            _list(session, workspace, unknown, as_json)
        else:
            _decide(session, row, decision, as_json)


def _list(session: Open, workspace: str | None, unknown: bool, as_json: bool) -> None:
    with session.database.transaction() as transaction:
        workspace_id = find_workspace(transaction, workspace).id if workspace else None
        found = reviews(transaction, workspace_id, unknown=unknown)
    report(
        as_json,
        {"rows": [asdict(one) for one in found]},
        lambda: "\n\n".join(_told(one) for one in found) or "nothing needs a decision",
    )


def _decide(session: Open, row: int, decision: Decision, as_json: bool) -> None:
    with session.database.transaction() as transaction:
        workspace_id = find_workspace(transaction, session.settings.workspace).id
        resolved = decide(transaction, SequenceClock(session.database), workspace_id, row, decision)
    try:
        session.wakeups.schedule(resolved.wakeups)
    except WakeupsUnavailable as error:
        note(f"cadenza: {error}; the decision stands, and the sweeper makes up for the wake-ups")
    report(as_json, {"row": row, "decision": decision.value}, lambda: f"row {row}: {decision.value}")


def _told(row: Review) -> str:
    head = f"row {row.id}  {row.workspace}/{row.sequence}/{row.step_key}  {row.type}  enrollment {row.enrollment_id}"
    lines = [head, f"  {row.status}: {row.reason or '-'}"]
    for attempt in row.attempts:
        lines.append(
            f"  attempt {attempt['started_at']} to {attempt['recipient']}: {attempt['outcome'] or 'no outcome'}"
            f"{' ' + attempt['error_code'] if attempt['error_code'] else ''}; {attempt['detail'] or '-'}"
            f"; looked up {attempt['looks']} time(s) in vain; provider id {attempt['provider_id'] or '-'}"
        )
        text = attempt["payload"].get("body") or attempt["payload"].get("subject") or ""
        lines.append(f"    {text[:100]!r}")
    return "\n".join(lines)
