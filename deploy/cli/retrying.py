"""`cadenza retry`."""

from collections import Counter
from datetime import UTC
from typing import Annotated, Any

import typer

from deploy.cli.confirming import Yes, confirm
from deploy.cli.control import By, Reason, SequenceKey, operator
from deploy.cli.moments import moment_with_zone
from deploy.cli.output import IN_PART, SHOWN, Json, WorkspaceName, note, report, say
from deploy.cli.progress import counting
from deploy.cli.session import opened
from engine.errors import InvalidInput
from engine.outbox.failed import Failed
from engine.rules.answers import words_of
from producers.retrying import Retried, RetryPlan, plan_row, plan_sequence, run_retry
from schema.counted import counted


def retry(
    row: Annotated[int | None, typer.Argument(metavar="[ROW]", help="The failed row, as explain names it.")] = None,
    sequence: SequenceKey = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Those that failed from then on, as 2026-03-01T09:00Z (sequence time)."),
    ] = None,
    code: Annotated[str | None, typer.Option(metavar="CODE", help="Those with this error code only.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell which they are, and change nothing.")] = False,
    yes: Yes = False,
    reason: Reason = None,
    by: By = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Send failed messages again, with all their tries, after telling which they are."""
    if (row is None) == (sequence is None):
        raise InvalidInput("retry: name one thing: a row, as `cadenza retry 42`, or --sequence KEY")
    if row is not None and (since is not None or code is not None):
        raise InvalidInput("retry: --since and --code choose among the rows of --sequence KEY")
    start = moment_with_zone(since, "retry: --since")
    with opened(workspace) as session:
        who = operator(session, by, reason)
        if row is not None:
            plan = plan_row(session.database, who.workspace, row)
        else:
            plan = plan_sequence(session.database, who.workspace, sequence or "", start, code)
        if not as_json:
            say(_told(plan))
        done = None
        if plan.rows and not dry_run:
            confirm(f"retry: {counted(len(plan.rows), 'message')} will be sent again", yes)
            with counting("retrying", len(plan.rows)) as progress:
                done = run_retry(session.database, session.wakeups, who, plan, progress)
            if not done.woken:
                note("cadenza: Redis is away: the sweeper makes up for the wake-ups")
    if as_json or done is not None:
        report(as_json, _document(plan, done), lambda: _ended(done))
    if done is not None and done.left_alone:
        raise typer.Exit(IN_PART)


def _told(plan: RetryPlan) -> str:
    if not plan.rows and not plan.left_alone:
        return "no failed message"
    lines = [f"{counted(len(plan.rows), 'failed message')} can be sent again"]
    groups = Counter((one.sequence, one.step_key, one.type, _why(one)) for one in plan.rows)
    for (sequence, step, kind, why), count in groups.most_common(SHOWN):
        lines.append(f"  {count:>9,}  {sequence}/{step} ({kind}): {why}")
    for why, count in Counter(why for _, why in plan.left_alone).most_common(SHOWN):
        lines.append(f"  {count:>9,}  left alone: {why}")
    return "\n".join(lines)


def _why(row: Failed) -> str:
    says = words_of(row.error_code) or row.reason or "no reason is known"
    return says if row.error_code is None else f"{row.error_code} {says}"


def _ended(done: Retried | None) -> str:
    if done is None:
        return ""
    left = [f"row {row} left alone: {why}" for row, why in list(done.left_alone.items())[:SHOWN]]
    return "\n".join([f"{counted(len(done.rows), 'message')} due now", *left])


def _document(plan: RetryPlan, done: Retried | None) -> dict[str, Any]:
    return {
        "rows": [_row(one) for one in plan.rows],
        "left_alone": [
            *({**_row(one), "because": why} for one, why in plan.left_alone),
            *({"row": row, "because": why} for row, why in (done.left_alone if done else {}).items()),
        ],
        "retried": None if done is None else done.rows,
    }


def _row(one: Failed) -> dict[str, Any]:
    return {
        "row": one.id,
        "enrollment_id": one.enrollment_id,
        "sequence": one.sequence,
        "step": one.step_key,
        "type": one.type,
        "error_code": one.error_code,
        "reason": one.reason,
        "failed_at": one.failed_at.astimezone(UTC),
    }
