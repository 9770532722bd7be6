"""The sequence clock's arithmetic."""

import pytest

from engine.clock import Segment, Timeline

DAY = 86_400.0
REAL = Segment(0, 0, 1)


def test_real_time_is_sequence_time_until_someone_moves_it() -> None:
    assert Timeline((REAL,)).sequence_at(1_000) == 1_000
    assert Timeline((REAL,)).reached(1_000) == 1_000


def test_a_jump_reaches_all_that_it_jumps_over_at_once() -> None:
    jumped = Timeline((REAL, Segment(1_000, 1_000 + 3 * DAY, 1)))
    assert jumped.sequence_at(1_001) == 1_001 + 3 * DAY
    assert jumped.reached(900) == 900
    assert jumped.reached(1_000 + DAY) == 1_000
    assert jumped.reached(1_010 + 3 * DAY) == 1_010


def test_a_rate_is_taken_back_to_real_seconds() -> None:
    fast = Timeline((REAL, Segment(1_000, 1_000, DAY)))
    assert fast.sequence_at(1_002) == 1_000 + 2 * DAY
    assert fast.reached(1_000 + 2 * DAY) == pytest.approx(1_002)


def test_what_an_earlier_segment_reached_keeps_its_moment() -> None:
    slow_again = Timeline((REAL, Segment(1_000, 1_000, DAY), Segment(1_010, 1_000 + 10 * DAY, 1)))
    assert slow_again.reached(1_000 + 5 * DAY) == pytest.approx(1_005)
    assert slow_again.reached(1_020 + 10 * DAY) == pytest.approx(1_030)
