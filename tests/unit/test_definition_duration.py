"""Durations as people write them."""

import re
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schema.definition import parse_duration, parse_durations
from schema.definition.duration import PATTERN

STEADY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # no test decides by timing


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 minute", timedelta(minutes=1)),
        ("90 minutes", timedelta(minutes=90)),
        ("1.5 hours", timedelta(hours=1.5)),
        ("0 minutes", timedelta()),
        ("1 day", timedelta(days=1)),
        ("2 weeks", timedelta(weeks=2)),
        (" 10minutes ", timedelta(minutes=10)),
        ("0.333333 minutes", timedelta(seconds=20)),
        ("3650 days", timedelta(days=3650)),
    ],
)
def test_a_duration(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5", "'5' has no unit: write 5 minutes, 5 hours, 5 days"),
        ("", "is not a duration: write a number and a unit"),
        ("soon", "is not a duration: write a number and a unit"),
        ("-1 day", "the number is digits"),
        ("1,5 hours", "the number is digits"),
        ("10:30", "the number is digits"),
        ("30 seconds", "unknown unit 'seconds' in '30 seconds': the units are minutes, hours, days or weeks"),
        ("1 Day", "unknown unit 'Day' in '1 Day' (did you mean 'day'?)"),
        ("2 hous", "did you mean 'hours'?"),
        ("1 day 2 hours", "unknown unit 'day 2 hours'"),
        ("1 minutess", "unknown unit"),
        ("٣ days", "is not a duration"),
        ("3651 days", "at most ten years"),
        ("999999999 weeks", "at most ten years"),
        ("9999999999 days", "the number is digits"),
        ("1 " + "x" * 10_000, "unknown unit 'xxx"),
    ],
)
def test_what_is_none(text: str, expected: str) -> None:
    with pytest.raises(ValueError, match=re.escape(expected)) as caught:
        parse_duration(text)
    assert len(str(caught.value)) < 300


@STEADY
@given(st.one_of(st.from_regex(PATTERN), st.text(), st.from_regex(r"[0-9.]{1,11} {0,2}(minute|hour|dya)s{0,2}")))
def test_the_pattern_for_editors_and_the_reader_agree(text: str) -> None:
    try:
        parse_duration(text)
        accepted = True
    except ValueError as error:
        accepted = "at most ten years" in str(error)
    assert accepted == bool(re.search(PATTERN, text))


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("18 hours 28 minutes", 1_108),
        ("1 day, 2 hours and 1 minute", 1_561),
        ("1 hour and 1 minute", 61),
        ("1 day 1.5 hours", 1_530),
        ("3 days", 4_320),
        ("1hour 5minutes", 65),
    ],
)
def test_several_units_add_up(text: str, minutes: int) -> None:
    assert parse_durations(text) == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1 hour 2 hours", "names hours twice"),
        ("1 hour 2", "has no unit"),
        ("1 hour -2 minutes", "is not a duration"),
        ("3600 days 60 days", "names days twice"),
        ("3650 days 1 hour", "at most ten years"),
        ("", "is not a duration"),
    ],
)
def test_several_units_that_make_no_sense_are_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_durations(text)
