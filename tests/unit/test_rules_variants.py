"""Which variant a contact gets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.rules.variants import choose

weights = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3), st.integers(0, 100), min_size=2, max_size=6
).filter(lambda given: sum(given.values()) > 0)


@given(weights, st.integers(1, 10**9), st.integers(1, 10**12))
def test_it_is_the_same_each_time_and_never_one_of_weight_nothing(
    given: dict[str, int], sequence: int, who: int
) -> None:
    chosen = choose(given, sequence, "split", who)
    assert given[chosen] > 0
    assert choose(dict(reversed(given.items())), sequence, "split", who) == chosen


def test_the_shares_are_as_the_weights_say() -> None:
    chosen = [choose({"a": 70, "b": 30, "c": 0}, 1, "split", who) for who in range(20_000)]
    assert abs(chosen.count("a") / 20_000 - 0.7) < 0.02  # five standard deviations are 0.016
    assert "c" not in chosen


def test_another_step_or_sequence_spreads_otherwise() -> None:
    def spread(sequence: int, key: str) -> list[str]:
        return [choose({"a": 1, "b": 1}, sequence, key, who) for who in range(200)]

    assert spread(1, "x") == spread(1, "x")
    assert len({tuple(spread(1, "x")), tuple(spread(1, "y")), tuple(spread(2, "x"))}) == 3


def test_nobody_can_be_given_nothing() -> None:
    with pytest.raises(ValueError, match="all weights are 0"):
        choose({"a": 0, "b": 0}, 1, "split", 1)
