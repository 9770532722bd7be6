"""The report of a storm on standard output."""

import sys
from typing import Final

from rich.console import Console
from rich.table import Table

from deploy.audit import Kind
from deploy.chaos.outcome import Outcome
from deploy.chaos.recovery import MEANING
from deploy.chaos.verdict import Sort

#: Characters in a line where no terminal says how many fit.
WIDTH: Final = 110

#: So many violations of a kind are named.
NAMED: Final = 5

#: Told apart.
SHOWN: Final = (Kind.LOST, Kind.DUPLICATED)


def print_report(outcome: Outcome) -> None:
    """Print it."""
    console = Console(file=sys.stdout, highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(file=sys.stdout, highlight=False, markup=False, width=WIDTH)
    options, verdict = outcome.options, outcome.verdict
    console.print()
    console.print(
        f"{verdict.audit.rows:,} rows of {outcome.people:,} people, {outcome.recovery.faults:,} faults in"
        f" {options.seconds:g} seconds; {outcome.ends.quiet_seconds:.0f} seconds later nothing moved any more",
        style="bold",
    )
    statuses = ", ".join(f"{count:,} {status}" for status, count in verdict.audit.by_status.most_common())
    console.print(f"  rows: {statuses}")
    console.print(
        f"  {outcome.repeats:,} enroll events repeated, {outcome.stops:,} STOPs, {outcome.forged:,} forged replies,"
        f" {outcome.ends.starts:,} starts of supervisors and API, {outcome.missed:,} faults found nothing to strike"
    )
    _faults(console, outcome)
    _doubt(console, outcome)
    _end(console, outcome)


def _faults(console: Console, outcome: Outcome) -> None:
    table = Table(box=None, padding=(0, 0, 0, 2), header_style="dim")
    table.add_column("fault", no_wrap=True)
    for name in ("times", "rows", "recovered: p50", "p99", "max"):
        table.add_column(name, justify="right", no_wrap=True)
    everything = outcome.recovery_by_kind.items()
    for name, found in [*((kind.value, found) for kind, found in everything), ("all", outcome.recovery)]:
        figures = (f"{found.share(share):,.1f} s" for share in (0.5, 0.99, 1.0))
        table.add_row(name, f"{found.faults:,}", f"{len(found.waits):,}", *figures)
    console.print("\nFaults", style="bold")
    console.print(table)
    console.print(f"  {MEANING}", style="dim")


def _doubt(console: Console, outcome: Outcome) -> None:
    verdict = outcome.verdict
    console.print("\nThe providers' ledger against the outbox", style="bold")
    console.print(f"  lost {verdict.audit.counts[Kind.LOST]:,}")
    console.print("  duplicated: " + ", ".join(f"{sort} {verdict.duplicated.get(sort, 0):,}" for sort in Sort))
    console.print("  " + ", ".join(f"{kind} {verdict.audit.counts[kind]:,}" for kind in Kind if kind not in SHOWN))
    console.print(f"  in review {sum(review.rows for review in verdict.reviews):,}")
    for review in verdict.reviews:
        console.print(
            f"    {review.rows:>5,}  {review.sort}: {review.reason} ({review.accepted:,} of them were accepted)",
            soft_wrap=True,
        )


def _end(console: Console, outcome: Outcome) -> None:
    verdict = outcome.verdict
    console.print()
    if verdict.holds:
        console.print("All that is promised held.", style="bold green")
    else:
        console.print(f"This did NOT hold: {'; '.join(verdict.broken)}.", style="bold red")
        for violations in verdict.audit.examples.values():
            for violation in violations[:NAMED]:
                console.print(f"  {violation}", soft_wrap=True)
        for story in outcome.stories:
            console.print(story, soft_wrap=True)
    console.print(f"seed {outcome.options.seed}; again: {outcome.options.command}", soft_wrap=True)
