"""`python -m deploy.bench`: measures, prints a table, and writes bench.json."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from deploy.bench.parts import NAMES, chosen
from deploy.bench.run import Run, measure
from engine.errors import CadenzaError

OUTPUT: Final = Path("bench.json")

#: How `holds` is shown.
HOLDS: Final = {True: "yes", False: "NO", None: "-"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; the exit code tells only whether it could be done, not whether the figures please."""
    parser = argparse.ArgumentParser(prog="make bench", description="Measure Cadenza on this machine.")
    parser.add_argument("--only", action="append", choices=NAMES, metavar="MEASURE", help=f"one of {', '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work, only to try it out")
    parser.add_argument("--json", action="store_true", help="print bench.json instead of the table")
    given = parser.parse_args(arguments)
    try:
        run = measure(chosen(given.only), quick=given.quick)
    except CadenzaError as error:
        sys.stderr.write(f"bench: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("bench: interrupted\n")
        return 130
    document = json.dumps([result.document() for result in run.results], indent=2)
    if not given.quick and given.only is None:
        OUTPUT.write_text(document + "\n")
    sys.stdout.write(document + "\n") if given.json else _print(run)
    return 1 if run.broken else 0


def _print(run: Run) -> None:
    table = Table("measure", "value", "unit", "asked", "holds", "measured", title_justify="left")
    for result in run.results:
        asked = "-" if result.asked is None else str(result.asked)
        table.add_row(result.measure, f"{result.value:,.2f}", result.unit, asked, HOLDS[result.holds], result.detail)
    console = Console(width=140, highlight=False)
    console.print(table)
    for names, reason in run.broken.items():
        console.print(f"NOT MEASURED: {names}: {reason}")
    for names, reason in run.left_out.items():
        console.print(f"left out: {names}: {reason}")
    for machine in run.machines:
        console.print(machine)
    if run.quick:
        console.print("A quick run: a tenth of the work, so the figures say little.")


if __name__ == "__main__":
    sys.exit(main())
