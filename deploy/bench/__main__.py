"""`python -m deploy.bench`: measures, prints a table, and writes bench.json."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from deploy.bench.ground import Ground, open_ground
from deploy.bench.machine import describe
from deploy.bench.measure import Asked, Result
from deploy.bench.measures.enrolling import bulk_rows_vs_copy, csv_file_vs_one_transaction_per_contact
from deploy.bench.measures.lateness import behind_far_p99_ms, claim_lateness_bulk_p99_ms, claim_lateness_idle_p99_ms
from deploy.bench.measures.providers import email_vs_bare_smtp, sms_vs_bare_http
from deploy.bench.measures.queue import enqueue_vs_dramatiq, redis_bytes_per_step
from deploy.bench.measures.settling import settled_vs_noop, slow_provider_vs_ideal
from deploy.bench.measures.standing import enrollment_of_10_steps_ms, explain_ms, task_completed_ms
from engine.errors import CadenzaError

MEASURES: Final[tuple[Callable[[Ground], Result], ...]] = (
    bulk_rows_vs_copy,
    csv_file_vs_one_transaction_per_contact,
    enqueue_vs_dramatiq,
    redis_bytes_per_step,
    settled_vs_noop,
    behind_far_p99_ms,
    claim_lateness_idle_p99_ms,
    claim_lateness_bulk_p99_ms,
    sms_vs_bare_http,
    email_vs_bare_smtp,
    slow_provider_vs_ideal,
    task_completed_ms,
    enrollment_of_10_steps_ms,
    explain_ms,
)

OUTPUT: Final = Path("bench.json")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; the exit code tells only whether it could be done, not whether the figures please."""
    names = [measure.__name__ for measure in MEASURES]
    parser = argparse.ArgumentParser(prog="make bench", description="Measure Cadenza on this machine.")
    parser.add_argument("--only", action="append", choices=names, help="one measure; may be repeated")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work, only to try it out")
    parser.add_argument("--json", action="store_true", help="print bench.json instead of the table")
    given = parser.parse_args(arguments)
    chosen = [measure for measure in MEASURES if given.only is None or measure.__name__ in given.only]
    try:
        results, machine = _measure(chosen, quick=given.quick)
    except CadenzaError as error:
        sys.stderr.write(f"bench: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("bench: interrupted\n")
        return 130
    document = json.dumps([result.document() for result in results], indent=2)
    if not given.quick and given.only is None:
        OUTPUT.write_text(document + "\n")
    sys.stdout.write(document + "\n") if given.json else _print(results, machine, quick=given.quick)
    return 0


def _measure(chosen: Sequence[Callable[[Ground], Result]], *, quick: bool) -> tuple[list[Result], str]:
    results: list[Result] = []
    begun = time.monotonic()
    with open_ground(quick=quick) as ground:
        for measure in chosen:
            started = time.monotonic()
            results.append(measure(ground))
            last = results[-1]
            seconds = time.monotonic() - started
            sys.stderr.write(f"{last.measure}: {last.value:,.2f} {last.unit} ({last.detail}) in {seconds:.0f} s\n")
        ground.empty()
        machine = describe(ground)
    detail = f"over the whole run of {time.monotonic() - begun:.0f} s"
    results.append(Result("claimed_twice", sum(ground.claimed_twice), "rows", Asked("==", 0), detail))
    return results, machine


def _print(results: Sequence[Result], machine: str, *, quick: bool) -> None:
    table = Table("measure", "value", "unit", "asked", "holds", "measured", title_justify="left")
    for result in results:
        holds = "yes" if result.holds else "NO"
        table.add_row(result.measure, f"{result.value:,.2f}", result.unit, str(result.asked), holds, result.detail)
    console = Console(width=140, highlight=False)
    console.print(table)
    console.print(machine)
    if quick:
        console.print("A quick run: a tenth of the work, so the figures say little.")


if __name__ == "__main__":
    sys.exit(main())
