"""The sequence clock as all processes read it from the database."""

from datetime import timedelta

import pytest

from engine import clock
from engine.clock import SequenceClock
from engine.database import Database
from engine.errors import InvalidInput

DAY = 86_400.0


def test_it_is_real_time_at_first(database: Database) -> None:
    now = SequenceClock(database)
    assert now.now() == pytest.approx(now.real_now(), abs=0.1)
    assert now.rate == 1


def test_advance_and_rate_and_reset(database: Database) -> None:
    with database.transaction() as session:
        clock.advance(session, timedelta(days=3))
        clock.set_rate(session, 3_600)
    moved = SequenceClock(database)
    assert moved.rate == 3_600
    assert moved.now() - moved.real_now() >= 3 * DAY
    with database.transaction() as session:
        clock.reset(session)
    back = SequenceClock(database)
    assert (back.rate, back.now()) == (1, pytest.approx(back.real_now(), abs=0.1))


def test_a_clock_that_went_back_has_yet_to_reach_again_what_it_had_reached(database: Database) -> None:
    with database.transaction() as session:
        clock.advance(session, timedelta(days=3))
    with database.transaction() as session:
        clock.reset(session)
    now = SequenceClock(database)
    assert now.lateness(now.now() + DAY) == pytest.approx(-DAY, abs=1)


def test_what_an_idle_process_knew_of_the_clock_counts_no_more(database: Database) -> None:
    now = SequenceClock(database)
    due = now.now() + DAY
    with database.transaction() as session:
        clock.advance(session, timedelta(days=3))
    now._read_at = float("-inf")  # it is long since it was read
    assert now.lateness(due) == pytest.approx(0, abs=1)


def test_a_back_off_counts_from_its_end(database: Database) -> None:
    now = SequenceClock(database)
    assert now.lateness(now.now() - 100, not_before=now.real_now() - 10) == pytest.approx(10, abs=1)


def test_it_only_advances(database: Database) -> None:
    with database.transaction() as session, pytest.raises(InvalidInput, match="only advances"):
        clock.advance(session, timedelta(0))


@pytest.mark.parametrize("rate", [0, -1, 1e12, float("nan")])
def test_a_rate_that_makes_no_sense_is_refused(database: Database, rate: float) -> None:
    with database.transaction() as session, pytest.raises(InvalidInput, match="rate"):
        clock.set_rate(session, rate)
