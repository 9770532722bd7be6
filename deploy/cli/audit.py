"""`cadenza audit`: holds the sandbox's ledger against the outbox."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.audit import Audit, Kind
from deploy.audit import audit as hold_against
from deploy.cli.output import Json, note, report, table
from deploy.cli.session import opened
from deploy.sandbox.options import SandboxOptions
from deploy.sandbox.state import find_sandbox
from engine.outbox.cold_months import MonthState
from producers.cold_months import list_months


def audit(
    ledger: Annotated[
        Path | None, typer.Option(help="The sandbox's ledger; the one in the data folder otherwise.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Hold what the sandbox accepted against the outbox; exit 1 unless each message went out once and when due.

    Do it when nothing moves: what is due or on its way at that moment counts as lost.
    """
    with opened() as session:
        path = ledger or _ledger_of(session.settings.data_dir)
        found = hold_against(session.database, path)
        detached = [one for one in list_months(session.database) if one.state is not MonthState.ATTACHED]
    if detached:
        months = ", ".join(f"{one.month:%Y-%m}" for one in detached)
        note(
            f"cadenza: archives of {months} are detached: the audit does not know their messages until you attach them"
        )
    report(as_json, {"ledger": path, **found.to_json()}, lambda: f"ledger {path}\n\n{describe(found)}")
    if not found.clean:
        raise typer.Exit(1)


def describe(found: Audit) -> str:
    """What an audit found, for people."""
    counts = table([(kind.value, f"{found.counts[kind]:,}") for kind in Kind])
    said = [str(violation) for kind in Kind for violation in found.examples.get(kind, [])]
    kept = sum(map(len, found.examples.values()))
    if found.counts.total() > kept:
        said.append(f"... and {found.counts.total() - kept:,} more")
    accepted = f"{found.rows:,} messages, {found.accepted_once:,} of them accepted exactly once"
    return "\n".join(
        [accepted, "", counts, *([""] if said else []), *said, "", "clean" if found.clean else "NOT CLEAN"]
    )


def _ledger_of(data_dir: Path) -> Path:
    running = find_sandbox(data_dir)
    return running.ledger if running is not None else SandboxOptions(data_dir=data_dir).ledger_path
