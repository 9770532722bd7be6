"""The demo's report on standard output: each step, the rejected lines, and the audit."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from deploy.audit import Audit, Kind
from deploy.demo.enrolled import Enrolled
from deploy.demo.figures import StepFigures
from deploy.demo.place import shown
from schema.states import RowStatus

#: Characters in a line where no terminal says how many fit.
WIDTH: Final = 100

#: So many lines of a reason, and violations of a kind, are named.
NAMED: Final = 5

#: What a step may have come to beside those that are always shown.
OTHERS: Final = (RowStatus.CANCELLED, RowStatus.UNKNOWN, RowStatus.REVIEW, RowStatus.PENDING, RowStatus.SENDING)


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that the demo found out."""

    enrolled: Sequence[Enrolled]
    figures: Sequence[StepFigures]
    audit: Audit
    seconds: float
    """Real time from the first enrollment to the last message."""
    finished: bool
    """False: it took too long, and was given up."""
    ledger: Path
    workers_log: Path

    @property
    def planned(self) -> int:
        """All messages that should go out."""
        return sum(one.planned for one in self.enrolled)

    @property
    def well(self) -> bool:
        """Whether every message that should have gone out was accepted exactly once."""
        return (
            self.finished and self.audit.clean and 0 < self.planned == self.audit.rows and self.audit.accepted_once > 0
        )


def print_report(outcome: Outcome) -> None:
    """Print it."""
    console = Console(file=sys.stdout, highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(file=sys.stdout, highlight=False, markup=False, width=WIDTH)
    _head(console, outcome)
    for one in outcome.enrolled:
        _steps(console, one, [step for step in outcome.figures if step.sequence == one.definition.sequence])
    _rejects(console, outcome.enrolled)
    _audit(console, outcome)


def _head(console: Console, outcome: Outcome) -> None:
    most = max((one.report.enrolled for one in outcome.enrolled), default=0)
    console.print()
    console.print(
        f"{len(outcome.enrolled)} sequences, {most:,} contacts, {outcome.planned:,} messages"
        f" in {outcome.seconds:.0f} seconds",
        style="bold",
    )
    console.print(
        "A day passed in a second: a step of all contacts fell due at once, and late is what that took.", style="dim"
    )


def _steps(console: Console, enrolled: Enrolled, steps: Sequence[StepFigures]) -> None:
    others = [status for status in OTHERS if any(step.of(status) for step in steps)]
    counted = ("due", "sent", "failed", "skipped", *(status.value for status in others))
    table = Table(box=None, padding=(0, 0, 0, 2), header_style="dim")
    table.add_column("step", no_wrap=True, min_width=16)
    table.add_column("channel")
    for name in (*counted, "late: p50", "p99", "max"):
        table.add_column(name, justify="right", no_wrap=True)
    for step in steps:
        counts = (step.of(status) for status in (RowStatus.SENT, RowStatus.FAILED, RowStatus.SKIPPED, *others))
        late = [f"{value:,.0f} ms" for value in step.lateness] or ["-", "-", "-"]
        table.add_row(step.key, step.channel, f"{step.due:,}", *(f"{count:,}" for count in counts), *late)
    console.print(f"\n{enrolled.definition.name}", style="bold")
    console.print(table)


def _rejects(console: Console, enrolled: Sequence[Enrolled]) -> None:
    console.print("\nThe file of contacts", style="bold")
    for one in enrolled:
        report = one.report
        console.print(
            f"  {one.definition.name}: {report.records:,} lines, {report.enrolled:,} enrolled,"
            f" {report.repeats:,} repeats of a contact, {report.rejected:,} rejected"
        )
        for reason, lines in one.reasons():
            named = ", ".join(str(line) for line in lines[:NAMED]) + (", ..." if len(lines) > NAMED else "")
            console.print(f"    {len(lines):>3}  {reason} (line{'s' * (len(lines) > 1)} {named})", soft_wrap=True)
        if report.rejects_path is not None:
            console.print(f"    all of them: {shown(report.rejects_path)}", soft_wrap=True)


def _audit(console: Console, outcome: Outcome) -> None:
    audit = outcome.audit
    console.print("\nAudit: the providers' ledger against the outbox", style="bold")
    console.print(f"  {audit.accepted_once:,} of {outcome.planned:,} messages were accepted exactly once")
    console.print("  " + ", ".join(f"{kind} {audit.counts[kind]:,}" for kind in Kind))
    for kind in Kind:
        for violation in audit.examples.get(kind, [])[:NAMED]:
            console.print(f"  {violation}", soft_wrap=True)
    console.print(f"  ledger: {shown(outcome.ledger)}", soft_wrap=True)
    console.print()
    if outcome.well:
        console.print("Every message that should have gone out was accepted exactly once.", style="bold green")
        return
    why = "" if outcome.finished else " It was given up because it took too long."
    console.print(f"This did NOT go well.{why}", style="bold red")
    console.print(f"  what the workers say: {shown(outcome.workers_log)}", soft_wrap=True)
