"""What `make scale` makes of its figures: ratios from 100,000 rows on, and what is to hold."""

from dataclasses import replace
from itertools import pairwise

from deploy.scale.measures import LIST
from deploy.scale.meter import Cost
from deploy.scale.plot import draw
from deploy.scale.report import Size, growing
from deploy.scale.storage import Storage

COST = Cost("claim 1", 10, p50_ms=1.0, p99_ms=2.0, cpu_ms=1.0, pages=10.0)


def sizes(measure: str, *cpu: float) -> list[Size]:
    rows = (10_000, 100_000, 10_000_000)
    return [
        Size(size, [replace(COST, measure=measure, cpu_ms=value)], Storage(0, 0.0, [], []), 0.0)
        for size, value in zip(rows, cpu, strict=True)
    ]


def test_the_largest_size_is_compared_with_100_000_rows() -> None:
    (one,) = growing(sizes("claim 1", 0.1, 1.0, 1.4))
    assert (one.cpu, one.pages, one.holds) == (1.4, 1.0, True)
    (grown,) = growing(sizes("claim 1", 3.0, 1.0, 1.6))
    assert not grown.holds


def test_pages_count_too() -> None:
    """What parallel workers do is no CPU of the backend."""
    small, base, large = sizes("status", 1.0, 1.0, 1.0)
    large.costs[0] = replace(large.costs[0], pages=20.0)
    (one,) = growing([small, base, large])
    assert (one.cpu, one.pages, one.holds) == (1.0, 2.0, False)


def test_bulk_enrollment_may_cost_more() -> None:
    (one,) = growing(sizes(f"bulk enroll {LIST}", 1.0, 1.0, 9.0))
    assert one.holds


def test_names_at_the_ends_of_lines_do_not_overlap() -> None:
    drawn = draw("Costs", "ms", [10, 100], {f"line {number}": [1.0, 1.0] for number in range(5)})
    places = sorted(float(part.split('y="')[1].split('"')[0]) for part in drawn.splitlines() if ">line " in part)
    assert all(after - before >= 12 for before, after in pairwise(places))
