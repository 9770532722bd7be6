"""Whether one variant does better, and how sure that is."""

import math
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.rules.comparing import LEAST, Share, chance, compare

shares = st.integers(1, 5_000).flatmap(lambda of: st.builds(Share, st.integers(0, of), st.just(of)))


@pytest.mark.parametrize(
    ("number", "of", "low", "high"),
    [(0, 10, 0.0, 0.27753), (5, 10, 0.23659, 0.76341), (81, 263, 0.25529, 0.36621), (1, 29, 0.00611, 0.17176)],
)
def test_the_interval_is_wilsons(number: int, of: int, low: float, high: float) -> None:
    """By Newcombe (1998), table I, and by what the closed form gives elsewhere."""
    interval = Share(number, of).interval
    assert interval is not None
    assert interval == pytest.approx((low, high), abs=6e-5)


@given(shares)
def test_the_interval_holds_the_rate_and_no_rate_beyond(share: Share) -> None:
    assert share.interval is not None
    assert share.rate is not None
    low, high = share.interval
    assert 0.0 <= low <= share.rate + 1e-12
    assert share.rate - 1e-12 <= high <= 1.0


def test_nobody_has_no_rate() -> None:
    assert Share(0, 0).rate is None
    assert Share(0, 0).interval is None
    assert chance(Share(0, 0), Share(1, 2)) == 1.0


@given(shares, shares)
def test_the_chance_is_that_of_the_normal_distribution(one: Share, other: Share) -> None:
    together = (one.number + other.number) / (one.of + other.of)
    assert chance(one, other) == chance(other, one)
    if 0 < together < 1:
        error = math.sqrt(together * (1 - together) * (1 / one.of + 1 / other.of))
        z = abs(one.number / one.of - other.number / other.of) / error
        assert chance(one, other) == pytest.approx(2 * NormalDist().cdf(-z), abs=1e-9)
    else:
        assert chance(one, other) == 1.0


def test_a_difference_is_told_when_it_is_shown() -> None:
    finding = compare({"a": Share(30, 500), "b": Share(70, 500)})
    assert finding.best == "b"
    assert finding.says.startswith("b does better than a (p = ")


@pytest.mark.parametrize(
    "given_shares",
    [
        {"a": Share(50, 500), "b": Share(55, 500)},
        {"a": Share(0, LEAST - 1), "b": Share(300, 500)},
        {"a": Share(0, 500), "b": Share(4, 500)},
        {"a": Share(0, 500), "b": Share(0, 500)},
        {"a": Share(500, 500), "b": Share(500, 500)},
        {"a": Share(0, 0), "b": Share(0, 0)},
        {"a": Share(10, 500), "b": Share(70, 500), "c": Share(72, 500)},
    ],
)
def test_no_difference_is_told_that_is_not_shown(given_shares: dict[str, Share]) -> None:
    finding = compare(given_shares)
    assert finding.best is None
    assert finding.says.startswith("no difference shown yet")


def test_more_variants_need_a_clearer_difference() -> None:
    two = {"a": Share(50, 500), "b": Share(72, 500)}
    assert compare(two).best == "b"
    assert compare({**two, "c": Share(50, 500), "d": Share(50, 500)}).best is None
