"""The arithmetic of the benchmark: percentiles, medians, rates, bounds, and what bench.json says."""

import pytest

from deploy.bench.children import BrokenChild
from deploy.bench.drain import rate
from deploy.bench.measure import Asked, Result, by_turns, medians, percentile
from deploy.bench.parts import NAMES, PARTS, chosen


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


def test_what_is_done_at_one_moment_has_no_rate() -> None:
    with pytest.raises(BrokenChild, match="one moment"):
        rate([(5.0, number) for number in range(1, 41)], 40)


def test_the_median_of_each_figure_counts_by_itself() -> None:
    turns = [{"a": 1.0, "b": 9.0}, {"a": 3.0, "b": 7.0}, {"a": 2.0, "b": 8.0}]
    assert medians(turns) == {"a": 2.0, "b": 8.0}


def test_a_figure_of_which_nothing_is_asked_neither_holds_nor_fails() -> None:
    document = Result("pgqueuer_noop", 3_000.0, "jobs/s", None, "3,000 jobs").document()
    assert (document["asked"], document["holds"]) == (None, None)


def test_the_parts_of_a_measure_are_chosen_by_any_of_its_names() -> None:
    assert [part.names[0] for part in chosen(["sms_cpu_ms", "idle_cpu_percent"])] == [
        "sms_vs_bare_http",
        "idle_cpu_percent",
    ]
    assert chosen(None) == list(PARTS)
    assert len(set(NAMES)) == len(NAMES)


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
