"""Dates as people write them: what can mean one day only is read, everything else is reported with the reason."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.rules.dates import MONTHS, WEEKDAYS, YEARS, ContactDates, UnreadDateError, read_date
from schema.definition import InvalidDefinition, json_schema, parse

BERLIN = ZoneInfo("Europe/Berlin")
SEQUENCE = """
sequence: renewal
{head}
steps:
  - {{key: soon, type: email, subject: a, text: b, at: "09:00", before: {{attribute: renewal, by: 3 days{required}}}}}
  - {{key: then, type: email, subject: a, text: b, at: "09:00", after: {{attribute: renewal}}}}
"""


def refusal(value: Any, date_format: Any = None) -> str:
    with pytest.raises(UnreadDateError) as error:
        read_date(value, date_format, BERLIN)
    return str(error.value)


@pytest.mark.parametrize(
    "value",
    [
        "2027-02-28", "20270228", 20270228, "2027-W08-7", "2027-02-28T10:00", "2027-02-28 10:00:00", "2027/2/28",
        "2027-02-27T23:30:00Z", "2027-02-28T00:30+01:00", "2027-02-27 23:30:00 UTC", "2027.02.28",
        "02/28/2027", "2/28/2027", "02-28-2027", "28/02/2027", "28-2-2027", "28.02.2027", "28. 2. 2027", "28.02.2027.",
        "02/28/2027 10:30 PM", "28.02.2027 10:30", "02/28/2027, 10:30:00",
        "28 Feb 2027", "28-Feb-2027", "28 February 2027", "28th of February 2027", "Feb 28, 2027",
        "February 28th, 2027", "28 feb. 2027", "FEB 28 2027", "2027-Feb-28",
        "Sunday, 28 February 2027", "Sun, 28 Feb 2027 10:00:00 GMT", "Feb 27 2027 6:30 pm -0600",
    ],
)  # fmt: skip
def test_what_can_mean_one_day_only_is_read(value: Any) -> None:
    assert read_date(value, None, BERLIN) == date(2027, 2, 28)


@pytest.mark.parametrize(
    ("value", "date_format", "expected"),
    [
        ("03/04/2027", "MDY", date(2027, 3, 4)),
        ("03/04/2027", "DMY", date(2027, 4, 3)),
        ("03.04.2027", None, date(2027, 4, 3)),
        ("03.04.2027", "MDY", date(2027, 3, 4)),
        ("05-05-2027", None, date(2027, 5, 5)),
        ("2027-03-04", "DMY", date(2027, 3, 4)),
        ("4 Mar 2027", "MDY", date(2027, 3, 4)),
    ],
)
def test_a_date_format_says_what_digits_mean(value: str, date_format: Any, expected: date) -> None:
    assert read_date(value, date_format, BERLIN) == expected


@pytest.mark.parametrize(
    ("value", "date_format", "expected"),
    [
        ("46446", None, "'46446' looks like the serial number of a spreadsheet for 2027-02-28: write it as 2027-02-28"),
        (46446.5, None, "'46446.5' looks like the serial number of a spreadsheet for 2027-02-28: write it as"),
        ("1803772800", None, "'1803772800' looks like a Unix time on 2027-02-28: write it as 2027-02-28"),
        ("03/04/2027", None, "'03/04/2027' may be 2027-03-04 or 2027-04-03: write it so, or say date_format: MDY or"),
        ("28/02/2027", "MDY", "'28/02/2027' is not a date as date_format: MDY has it: write it as in 2027-02-28"),
        ("02/28/27", None, "'02/28/27' has a year of two digits: write it as in 2027-02-28"),
        ("30.02.2027", None, "'30.02.2027' is not a day and time that there is"),
        ("02/28/2027 14:00 pm", None, "'02/28/2027 14:00 pm' is not a day and time that there is"),
        ("Monday, 28 February 2027", None, "'Monday, 28 February 2027' is a Sunday: write it as in 2027-02-28"),
        ("28 ju 2027", None, "'28 ju 2027' can't be read as a date"),
        ("28 fevrier 2027", None, "'28 fevrier 2027' can't be read as a date"),
        ("next week", None, "'next week' can't be read as a date: write it as in 2027-02-28"),
        ("1027-02-28", None, "'1027-02-28' is outside of the years 1900 to 2999"),
        ("0001-01-01T00:00:00+14:00", None, "'0001-01-01T00:00:00+14:00' is outside of the years"),
        (True, None, "'True' is not a date"),
        (["2027-02-28"], None, "is not a date"),
        ("x" * 200, None, "can't be read as a date"),
    ],
)  # fmt: skip
def test_everything_else_is_reported(value: Any, date_format: Any, expected: str) -> None:
    assert expected in refusal(value, date_format)
    assert len(refusal(value, date_format)) < 160


DAYS = st.dates(min_value=date(YEARS[0], 1, 2), max_value=date(YEARS[-1], 12, 30))


@given(DAYS, st.sampled_from(["/", "-", "."]), st.sampled_from([None, "MDY", "DMY"]), st.booleans())
def test_no_date_in_digits_is_read_as_another_day(day: date, mark: str, date_format: Any, month_first: bool) -> None:
    order = (day.month, day.day) if month_first else (day.day, day.month)
    text = f"{order[0]:02d}{mark}{order[1]:02d}{mark}{day.year}"
    try:
        read = read_date(text, date_format, BERLIN)
    except UnreadDateError:
        # Whoever writes in the order that the sequence names is read.
        assert date_format != ("MDY" if month_first else "DMY")
        return
    if date_format is None and mark != ".":
        assert read == day, "without a format only what can mean one day is read"
    other = {"MDY": (order[0], order[1]), "DMY": (order[1], order[0])}
    if date_format is not None:
        assert (read.month, read.day) == other[date_format]


@given(DAYS)
def test_every_unambiguous_form_of_a_day_is_read(day: date) -> None:
    month, weekday = MONTHS[day.month - 1], WEEKDAYS[day.weekday()]
    forms = [
        day.isoformat(), f"{day:%Y%m%d}", f"{day.year}/{day.month}/{day.day}", f"{day.day}.{day.month}.{day.year}",
        f"{day.day} {month} {day.year}", f"{month[:3]} {day.day}, {day.year}",
        f"{weekday}, {day.day} {month[:3].title()} {day.year}", f"{day.day}-{month[:3]}-{day.year}",
    ]  # fmt: skip
    assert {read_date(form, None, BERLIN) for form in forms} == {day}


@given(DAYS, st.times(), st.integers(-14 * 60, 14 * 60))
def test_a_moment_with_a_zone_is_the_day_where_the_contact_is(day: date, clock: Any, minutes: int) -> None:
    moment = datetime.combine(day, clock.replace(microsecond=0), timezone(timedelta(minutes=minutes)))
    expected = moment.astimezone(BERLIN).date()
    if moment.astimezone(UTC).year in YEARS:
        assert read_date(moment.isoformat(), None, BERLIN) == expected
        offset = moment.strftime("%z")
        assert read_date(f"{day:%d.%m.%Y} {moment:%H:%M:%S} {offset}", None, BERLIN) == expected


def test_the_dates_of_a_contact_name_the_steps_that_go_by_them() -> None:
    dates = ContactDates(parse(SEQUENCE.format(head="", required="")))
    assert dates.unread({}) == dates.unread({"renewal": "2027-02-28"}) == []
    [unread] = dates.unread({"renewal": "soon"})
    assert not unread.required
    assert str(unread) == (
        "renewal 'soon' can't be read as a date: write it as in 2027-02-28; steps soon, then are skipped"
    )


def test_a_required_date_is_missing_or_unread() -> None:
    dates = ContactDates(parse(SEQUENCE.format(head="date_format: MDY", required=", required: true")))
    assert dates.unread({"renewal": "03/04/2027"}) == []
    for attributes, message in (
        ({}, "renewal is missing; step soon needs it"),
        ({"renewal": ""}, "renewal is missing; step soon needs it"),
        ({"renewal": "28/02/2027"}, "renewal '28/02/2027' is not a date as date_format: MDY has it: write it as in"),
    ):
        [unread] = dates.unread(attributes)
        assert unread.required
        assert str(unread).startswith(message)


def test_a_sequence_says_how_its_dates_are_written() -> None:
    plain = parse(SEQUENCE.format(head="", required=""))
    assert "date_format" not in plain.canonical()
    assert "required" not in str(plain.canonical())
    said = parse(SEQUENCE.format(head="date_format: DMY", required=", required: true"))
    assert (said.date_format, said.steps[0].before and said.steps[0].before.required) == ("DMY", True)
    assert type(said).restore(said.canonical()) == said
    with pytest.raises(InvalidDefinition, match="'date_format' can't be 'YMD': expected MDY or DMY"):
        parse(SEQUENCE.format(head="date_format: YMD", required=""))
    with pytest.raises(InvalidDefinition, match="'required' can't be 'maybe': expected true or false"):
        parse(SEQUENCE.format(head="", required=", required: maybe"))
    assert "date_format" in json_schema()["properties"]
    assert "required" in json_schema()["$defs"]["DateAnchor"]["properties"]
