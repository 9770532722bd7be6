"""`cadenza status`."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from deploy.cli.output import Json, note, report, table
from deploy.cli.session import Open, opened
from engine.clock import SequenceClock, from_epoch
from engine.outbox import counters
from engine.outbox.contact_holds import count_doubtful
from engine.outbox.counts import archived_rows, oldest_due, rows_by_status, sent_in_the_last_minute
from engine.outbox.hold import held
from engine.outbox.pause import paused
from engine.wakeups import WakeupsUnavailable
from producers.workspaces import find_workspace
from schema.states import RowStatus


def status(
    workspace: Annotated[
        str | None, typer.Option("--workspace", "-w", help="Of one workspace; of all otherwise.")
    ] = None,
    recount: Annotated[
        bool, typer.Option("--recount", help="Count every row first, and correct the counters: after a repair by hand.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Tell how the outbox and the queue stand."""
    with opened(workspace) as session:
        corrected = counters.recount(session.database) if recount else None
        document = {**_read(session, workspace), **({} if corrected is None else {"corrected_counters": corrected})}
    report(as_json, document, lambda: _text(document))


def _read(session: Open, workspace: str | None) -> dict[str, Any]:
    clock = SequenceClock(session.database)
    with session.database.transaction() as transaction:
        workspace_id = find_workspace(transaction, workspace).id if workspace else None
        rows = rows_by_status(transaction, workspace_id)
        archived = archived_rows(transaction, workspace_id)
        oldest = oldest_due(transaction, workspace_id)
        sent = sent_in_the_last_minute(transaction, workspace_id)
        pauses = paused(transaction, workspace_id)
        holds = held(transaction, workspace_id)
        doubtful = count_doubtful(transaction, workspace_id)
    return {
        "workspace": workspace,
        "sequence_time": from_epoch(clock.now()),
        "rows": {state.value: rows.get(state.value, 0) for state in RowStatus},
        "archived_rows": archived,
        "oldest_due_at": from_epoch(oldest.due_at) if oldest else None,
        "oldest_due_seconds": round(max(0.0, clock.lateness(oldest.due_at, oldest.retry_at)), 3) if oldest else 0.0,
        "sent_last_minute": sent,
        "paused": [asdict(pause) for pause in pauses],
        "held": [asdict(one) for one in holds],
        "doubtful_messages": doubtful,
        "wakeups": _wakeups(session),
    }


def _wakeups(session: Open) -> dict[str, int] | None:
    """Of all workspaces; None when Redis does not answer."""
    try:
        return session.wakeups.counts()
    except WakeupsUnavailable as error:
        note(f"cadenza: {error}; wake-ups are not counted")
        return None


def _text(document: dict[str, Any]) -> str:
    wakeups = document["wakeups"] or {}
    rows: list[tuple[str, Any]] = [
        ("workspace", document["workspace"] or "(all)"),
        ("sequence time", f"{document['sequence_time']:%Y-%m-%d %H:%M:%S} UTC"),
        *((name, f"{count:,}") for name, count in document["rows"].items() if count),
        *((("archived", f"{document['archived_rows']:,}"),) if document["archived_rows"] else ()),
        (
            "oldest due",
            f"{document['oldest_due_seconds']:.1f} s late" if document["oldest_due_at"] else "nothing is due",
        ),
        ("sent in the last minute", f"{document['sent_last_minute']:,}"),
        *(
            (
                "paused",
                f"{pause['channel']} of {pause['workspace']}: {pause['error_code'] or ''} {pause['detail'] or ''}",
            )
            for pause in document["paused"]
        ),
        *(("paused", _held(one)) for one in document["held"]),
        *(
            (("may be opt-outs", f"{document['doubtful_messages']:,}: `cadenza review`"),)
            if document["doubtful_messages"]
            else ()
        ),
        *((f"wake-ups {state}", f"{count:,}") for state, count in wakeups.items()),
        *((("counters corrected", f"{document['corrected_counters']:,}"),) if "corrected_counters" in document else ()),
    ]
    return table(rows)


def _held(one: dict[str, Any]) -> str:
    what = f"sequence {one['sequence']}" if one["sequence"] else "all"
    half = "" if one["keep_times"] is None else "; half resumed: `cadenza resume` goes on"
    return f"{what} of {one['workspace']} since {one['since']:%Y-%m-%d %H:%M} UTC by {one['made_by']}{half}"
