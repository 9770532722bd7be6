"""A run: the parts one after the other, on the servers that each is to be taken on."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

from deploy.bench.ground import Ground, Servers, open_ground
from deploy.bench.machine import describe
from deploy.bench.measure import Asked, LeftOut, Result
from deploy.bench.parts import Part
from deploy.local.stock import stock_programs
from engine.errors import CadenzaError, Unavailable


@dataclass(slots=True)
class Run:
    """What came of it."""

    quick: bool
    results: list[Result] = field(default_factory=list)
    machines: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    """Parts that this machine can't give, with the reason."""
    broken: dict[str, str] = field(default_factory=dict)
    """Parts that did not come to their end."""


def measure(parts: Sequence[Part], *, quick: bool) -> Run:
    """Take all measures of these parts.

    Raises:
        Unavailable: the servers can't be started.
    """
    run, begun, twice = Run(quick), time.monotonic(), 0
    for servers, group in groupby(parts, key=lambda part: part.servers):
        twice += _on(servers, list(group), run)
    detail = f"over the whole run of {time.monotonic() - begun:.0f} s"
    run.results.append(Result("claimed_twice", twice, "rows", Asked("==", 0), detail))
    return run


def _on(servers: Servers, parts: Sequence[Part], run: Run) -> int:
    """Take the measures of some parts on servers of their own, and return how many rows were claimed twice."""
    if servers == "stock":
        try:
            stock_programs()
        except Unavailable as error:
            run.left_out.update({_named(part): str(error) for part in parts})
            return 0
    with open_ground(servers, quick=run.quick) as ground:
        for part in parts:
            _take(part, ground, run)
        ground.empty()
        run.machines.append(describe(ground))
        return sum(ground.claimed_twice)


def _take(part: Part, ground: Ground, run: Run) -> None:
    started = time.monotonic()
    try:
        results = part.run(ground)
    except LeftOut as error:
        run.left_out[_named(part)] = str(error)
        return
    except CadenzaError as error:
        run.broken[_named(part)] = str(error)
        sys.stderr.write(f"{_named(part)}: {error}\n")
        return
    run.results += results
    for one in results:
        sys.stderr.write(f"{one.measure}: {one.value:,.2f} {one.unit} ({one.detail})\n")
    sys.stderr.write(f"    in {time.monotonic() - started:.0f} s\n")


def _named(part: Part) -> str:
    return ", ".join(part.names)
