"""The wait before the next try."""

import pytest

from engine.rules.backoff import LONGEST, backoff, wait


@pytest.mark.parametrize(("tries", "seconds"), [(1, 5), (2, 30), (3, 180), (4, 900), (5, 900), (500, 900)])
def test_it_grows_up_to_fifteen_minutes(tries: int, seconds: float) -> None:
    assert backoff(tries, base=5, share=0) == seconds


def test_half_of_it_is_left_to_chance() -> None:
    assert backoff(2, base=5, share=1) == 15


def test_what_the_provider_asks_for_is_honoured_and_never_shortened() -> None:
    assert wait(1, base=5, share=0, retry_after=42) == 42
    assert wait(1, base=5, share=1, retry_after=42) == pytest.approx(46.2)
    assert wait(1, base=5, share=0, retry_after=1_000_000) == LONGEST
