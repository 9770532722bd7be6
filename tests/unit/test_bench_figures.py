"""The arithmetic of the benchmark: percentiles, medians, rates, bounds, and what bench.json says."""

import pytest

from deploy.bench.drain import rate
from deploy.bench.measure import Asked, Result, by_turns, percentile


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.5, 50), (0.99, 99), (1.0, 100), (0.001, 1), (0.991, 100)],
)
def test_a_percentile_is_the_nearest_rank(share: float, expected: float) -> None:
    assert percentile(list(range(100, 0, -1)), share) == expected


def test_the_percentile_of_one_value_is_that_value() -> None:
    assert percentile([7.5], 0.99) == 7.5


def test_no_values_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_the_sides_take_turns_and_the_median_counts() -> None:
    calls: list[str] = []
    ours, theirs = iter([5.0, 1.0, 4.0, 2.0, 3.0]), iter([10.0, 50.0, 20.0, 40.0, 30.0])

    def one(name: str, figures: object) -> float:
        calls.append(name)
        return next(figures)  # type: ignore[call-overload, no-any-return]

    assert by_turns(lambda: one("a", ours), lambda: one("b", theirs)) == (3.0, 30.0)
    assert calls == ["a", "b"] * 5


def test_a_rate_leaves_out_how_it_begins_and_ends() -> None:
    steady = [(0.0, 0), (10.0, 5), (11.0, 50), (12.0, 95), (100.0, 100)]
    assert rate(steady, 100) == pytest.approx(45.0)


def test_a_rate_is_read_between_two_looks() -> None:
    assert rate([(0.0, 0), (10.0, 1_000)], 1_000) == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("bound", "value", "holds"),
    [
        (">=", 8.0, True),
        (">=", 7.99, False),
        ("<=", 50.0, True),
        ("<=", 50.01, False),
        ("==", 0, True),
        ("==", 1, False),
    ],
)
def test_a_bound_holds_or_not(bound: str, value: float, holds: bool) -> None:
    assert Asked(bound, {">=": 8, "<=": 50, "==": 0}[bound]).holds(value) is holds  # type: ignore[arg-type]


def test_a_result_in_bench_json() -> None:
    result = Result("settled_vs_noop", 8.123456, "ratio", Asked(">=", 8), "33,000 rows/s against 4,062 messages/s")
    assert result.document() == {
        "measure": "settled_vs_noop",
        "value": 8.1235,
        "unit": "ratio",
        "asked": ">= 8",
        "holds": True,
    }
