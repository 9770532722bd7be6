"""`python -m deploy.scale`: one database grows from size to size; prints tables, writes scale.json and a plot."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from deploy.scale.growth import Growth
from deploy.scale.measures import Measures
from deploy.scale.place import describe, open_place
from deploy.scale.report import Size, document, plot, show
from deploy.scale.storage import measure
from engine.errors import CadenzaError

SIZES: Final = (10_000, 100_000, 1_000_000, 10_000_000)
QUICK_SIZES: Final = (5_000, 20_000)

OUTPUT: Final = Path("scale.json")
PLOT: Final = Path("scale.svg")

#: Repetitions of what is quick.
TIMES: Final = 200
QUICK_TIMES: Final = 50


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; the exit code tells only whether it could be done, not whether the figures please."""
    parser = argparse.ArgumentParser(prog="make scale", description="Measure how costs grow with the database.")
    parser.add_argument("--sizes", type=int, nargs="+", metavar="ROWS", help="outbox rows, rising")
    parser.add_argument("--quick", action="store_true", help="two small sizes, only to try it out")
    parser.add_argument("--stock", action="store_true", help="on the system's Postgres and Redis")
    parser.add_argument("--json", action="store_true", help="print scale.json instead of the tables")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="where the JSON goes")
    parser.add_argument("--plot", type=Path, default=PLOT, help="where the plot goes")
    given = parser.parse_args(arguments)
    sizes = sorted(given.sizes or (QUICK_SIZES if given.quick else SIZES))
    begun = time.monotonic()
    try:
        found, machine = _measure(sizes, stock=given.stock, times=QUICK_TIMES if given.quick else TIMES)
    except CadenzaError as error:
        sys.stderr.write(f"scale: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("scale: interrupted\n")
        return 130
    text = json.dumps(document(found, machine, time.monotonic() - begun), indent=2)
    given.output.write_text(text + "\n")
    given.plot.write_text(plot(found))
    sys.stdout.write(text + "\n") if given.json else show(found, machine)
    return 0


def _measure(sizes: Sequence[int], *, stock: bool, times: int) -> tuple[list[Size], str]:
    found: list[Size] = []
    with open_place(stock=stock) as place:
        empty = int(place.redis.info("memory")["used_memory"])
        growth = Growth(place)
        for number, rows in enumerate(sizes, 1):
            started = time.monotonic()
            growth.grow(rows)
            grown = time.monotonic() - started
            storage = measure(place, empty)
            costs = []
            for cost in Measures(place, growth, number, times).run():
                costs.append(cost)
                sys.stderr.write(f"{rows:,} rows: {cost.measure}: {cost.cpu_ms:.2f} ms CPU, {cost.p50_ms:.2f} ms\n")
            found.append(Size(rows, costs, storage, grown))
            sys.stderr.write(f"{rows:,} rows: grown in {grown:.0f} s, {time.monotonic() - started:.0f} s in all\n")
        return found, describe(place)


if __name__ == "__main__":
    sys.exit(main())
