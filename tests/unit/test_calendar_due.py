"""When a step falls due: each rule with its dates written out."""

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from engine.rules.calendar import Calendar, due, next_open, window_open
from engine.rules.calendar.due import next_occasion
from engine.rules.calendar.local import moment_of
from schema.definition import Delay, QuietHours, Window, parse

NEW_YORK = ZoneInfo("America/New_York")
OFFICE = Window.model_validate({"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "17:00"})
US_OFFICE = Window.model_validate({**OFFICE.model_dump(by_alias=True, mode="json"), "holidays": "US"})
NIGHT = QuietHours()


def at(text: str, zone: str = "America/New_York") -> datetime:
    """A local time: `2026-03-07 10:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def shown(moment: datetime | None, zone: str = "America/New_York") -> str | None:
    """A moment as the clocks of the zone show it, with the offset."""
    return None if moment is None else moment.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M %z")


def step(timing: str) -> Any:
    """A step with this timing."""
    first = "{key: first, type: email, subject: a, text: b}"
    text = f"sequence: a\nsteps:\n  - {first}\n  - {{key: x, type: email, subject: a, text: b, {timing}}}\n"
    return parse(text).steps[1]


def due_of(timing: str, ended: str, calendar: Calendar | None = None, **more: Any) -> str | None:
    """When a step is due behind one that ended at a local time in New York."""
    calendar = calendar or Calendar(NEW_YORK)
    more = {"started": at(ended), "attributes": {}, **more}
    found = due(step(timing), ended=at(ended), calendar=calendar, **more)
    assert found.reasons
    return shown(found.moment)


@pytest.mark.parametrize(
    ("timing", "ended", "expected"),
    [
        # 2026-03-08 02:00 becomes 03:00 in New York; 2026-11-01 02:00 becomes 01:00.
        ("delay: 24 hours", "2026-03-07 10:00", "2026-03-08 11:00 -0400"),
        ("delay: 1 day", "2026-03-07 10:00", "2026-03-08 10:00 -0400"),
        ("delay: 1 week", "2026-03-05 10:00", "2026-03-12 10:00 -0400"),
        ("delay: 1.5 days", "2026-03-07 10:00", "2026-03-08 23:00 -0400"),
        ("delay: 1 day", "2026-03-07 02:30", "2026-03-08 03:00 -0400"),
        ("delay: 1 day", "2026-10-31 01:30", "2026-11-01 01:30 -0400"),
        ("delay: 1 day", "2026-10-31 10:00", "2026-11-01 10:00 -0500"),
        ("delay: 24 hours", "2026-10-31 10:00", "2026-11-01 09:00 -0500"),
        # A local time: days are counted first; without days it is the next such time.
        ("delay: 1 day, at: '09:00'", "2026-06-01 15:00", "2026-06-02 09:00 -0400"),
        ("delay: 1 day, at: '09:00'", "2026-06-01 08:00", "2026-06-02 09:00 -0400"),
        ("delay: 2 hours, at: '09:00'", "2026-06-01 06:00", "2026-06-01 09:00 -0400"),
        ("delay: 2 hours, at: '09:00'", "2026-06-01 07:30", "2026-06-02 09:00 -0400"),
        ("delay: 1 day, at: '02:30'", "2026-03-07 10:00", "2026-03-08 03:00 -0400"),
        ("delay: 1 hour, at: '01:30'", "2026-10-31 23:00", "2026-11-01 01:30 -0400"),
        # Business days: Friday, Monday.
        ("delay: 1 business day", "2026-06-05 15:00", "2026-06-08 15:00 -0400"),
        ("delay: 3 business days", "2026-06-06 15:00", "2026-06-10 15:00 -0400"),
        ("delay: 1 business day, at: '09:00'", "2026-06-04 15:00", "2026-06-05 09:00 -0400"),
    ],
)
def test_a_delay_is_counted_where_the_contact_is(timing: str, ended: str, expected: str) -> None:
    assert due_of(timing, ended) == expected


def test_what_happens_twice_happens_once() -> None:
    second = datetime(2026, 11, 1, 6, 10, tzinfo=UTC)  # 01:10, for the second time
    found = due(
        step("delay: 10 minutes, at: '01:30'"),
        ended=second,
        started=second,
        attributes={},
        calendar=Calendar(NEW_YORK),
    )
    assert shown(found.moment) == "2026-11-02 01:30 -0500"


def test_a_day_that_was_left_out_is_the_next_one() -> None:
    """Samoa had no 30 December 2011; Lord Howe moves its clocks by half an hour."""
    assert shown(moment_of(date(2011, 12, 30), 600, ZoneInfo("Pacific/Apia")), "Pacific/Apia") == (
        "2011-12-31 00:00 +1400"
    )
    howe = ZoneInfo("Australia/Lord_Howe")
    assert shown(moment_of(date(2026, 10, 4), 125, howe), "Australia/Lord_Howe") == "2026-10-04 02:30 +1100"


def test_after_start_counts_from_the_enrollment_and_never_overtakes() -> None:
    started = at("2026-06-01 10:00")
    assert due_of("after_start: 3 days", "2026-06-02 10:00", started=started) == "2026-06-04 10:00 -0400"
    assert due_of("after_start: 3 days, at: '08:00'", "2026-06-02 10:00", started=started) == "2026-06-04 08:00 -0400"
    assert due_of("after_start: 3 days", "2026-06-09 11:11", started=started) == "2026-06-09 11:11 -0400"


@pytest.mark.parametrize(
    ("timing", "value", "expected"),
    [
        ("before: {attribute: renewal, by: 3 days}", "2026-06-10", "2026-06-07 09:00 -0400"),
        ("before: {attribute: renewal, by: 3 business days}", "2026-06-10", "2026-06-05 09:00 -0400"),
        ("before: {attribute: renewal}", "2026-06-10", "2026-06-10 09:00 -0400"),
        ("after: {attribute: renewal, by: 1 week}", "2026-06-10", "2026-06-17 09:00 -0400"),
        ("after: {attribute: renewal, by: 1 day}", "2026-06-10T02:00:00Z", "2026-06-10 09:00 -0400"),
        ("before: {attribute: renewal, by: 3 days}", None, None),
        ("before: {attribute: renewal, by: 3 days}", "", None),
        ("before: {attribute: renewal, by: 3 days}", "soon", None),
        ("before: {attribute: renewal, by: 3 days}", 20260610, "2026-06-07 09:00 -0400"),
        ("before: {attribute: renewal, by: 3 days}", 3, None),
        ("before: {attribute: renewal, by: 3 days}", True, None),
        ("before: {attribute: renewal, by: 3 days}", "0001-01-02", None),
        ("before: {attribute: renewal, by: 3 days}", "0001-01-01T00:00:00+14:00", None),
        ("after: {attribute: renewal, by: 3 days}", "9999-12-31", None),
        # Due at 09:00 on 1 June, an hour before the step before had ended; and days before.
        ("before: {attribute: renewal, by: 3 days}", "2026-06-04", "2026-06-01 10:00 -0400"),
        ("before: {attribute: renewal, by: 3 days}", "2026-06-02", None),
        ("if_late: send, before: {attribute: renewal, by: 3 days}", "2026-06-02", "2026-06-01 10:00 -0400"),
        ("if_late: shift, before: {attribute: renewal, by: 3 days}", "2026-06-02", "2026-06-02 09:00 -0400"),
    ],
)
def test_a_date_of_the_contact(timing: str, value: object, expected: str | None) -> None:
    assert due_of(f"{timing}, at: '09:00'", "2026-06-01 10:00", attributes={"renewal": value}) == expected


def test_a_step_without_its_date_says_why_it_is_skipped() -> None:
    found = due(
        step("before: {attribute: renewal, by: 3 days}, at: '09:00'"),
        ended=at("2026-06-01 10:00"),
        started=at("2026-06-01 10:00"),
        attributes={},
        calendar=Calendar(NEW_YORK),
    )
    assert (found.moment, found.reasons) == (None, ("the contact has no renewal",))


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-06-01 09:00", "2026-06-01 09:00 -0400"),
        ("2026-06-01 08:59", "2026-06-01 09:00 -0400"),
        ("2026-06-01 16:59", "2026-06-01 16:59 -0400"),
        ("2026-06-01 17:00", "2026-06-02 09:00 -0400"),
        ("2026-06-06 12:00", "2026-06-08 09:00 -0400"),
        ("2026-07-03 12:00", "2026-07-06 09:00 -0400"),  # Independence Day is a Saturday, observed on Friday
        ("2026-06-09 12:00", "2026-06-10 09:00 -0400"),  # a day off of the workspace's own
    ],
)
def test_a_window(moment: str, expected: str) -> None:
    calendar = Calendar(NEW_YORK, window=US_OFFICE, days_off=frozenset([date(2026, 6, 9)]))
    opening = next_open(at(moment), calendar)
    assert shown(opening.moment) == expected
    assert bool(opening.reasons) == (opening.moment != at(moment)) == (not window_open(at(moment), calendar))


@pytest.mark.parametrize(
    ("zones", "moment", "expected"),
    [
        (["America/New_York"], "2026-06-01 20:00", "2026-06-02 09:00 -0400"),
        (["America/New_York"], "2026-06-01 19:59", "2026-06-01 19:59 -0400"),
        (["America/New_York"], "2026-06-01 03:00", "2026-06-01 09:00 -0400"),
        (["America/New_York", "America/Los_Angeles"], "2026-06-01 09:30", "2026-06-01 12:00 -0400"),
        (["America/New_York", "America/Los_Angeles"], "2026-06-01 21:00", "2026-06-02 12:00 -0400"),
        ([], "2026-06-01 03:00", "2026-06-01 03:00 -0400"),
    ],
)
def test_quiet_hours_hold_wherever_the_contact_may_be(zones: list[str], moment: str, expected: str) -> None:
    calendar = Calendar(NEW_YORK, quiet=NIGHT, quiet_zones=tuple(map(ZoneInfo, zones)))
    assert shown(next_open(at(moment), calendar).moment) == expected


def test_a_step_with_a_local_time_keeps_it_on_the_day_to_which_it_is_moved() -> None:
    calendar = Calendar(NEW_YORK, window=OFFICE)
    assert due_of("delay: 1 day, at: '14:00'", "2026-06-05 10:00", calendar) == "2026-06-08 14:00 -0400"
    assert due_of("delay: 1 day", "2026-06-05 10:00", calendar) == "2026-06-08 09:00 -0400"
    quiet = Calendar(NEW_YORK, quiet=NIGHT, quiet_zones=(NEW_YORK,))
    assert due_of("delay: 1 day, at: '21:00'", "2026-06-05 10:00", quiet) == "2026-06-07 09:00 -0400"


def test_business_days_are_those_of_the_window_without_days_off() -> None:
    calendar = Calendar(NEW_YORK, window=US_OFFICE, days_off=frozenset([date(2026, 7, 6)]))
    assert due_of("delay: 2 business days", "2026-07-01 10:00", calendar) == "2026-07-07 10:00 -0400"


def test_what_never_opens_is_skipped_with_a_reason() -> None:
    night = Window.model_validate({"from": "21:00", "to": "23:00"})
    calendar = Calendar(NEW_YORK, window=night, quiet=NIGHT, quiet_zones=(NEW_YORK,))
    found = due(step("delay: 1 day"), ended=at("2026-06-01 10:00"), started=at("2026-06-01 10:00"), attributes={},
                calendar=calendar)  # fmt: skip
    assert found.moment is None
    assert "does not open" in found.reasons[-1]


def test_a_window_over_the_hour_that_happens_twice_opens_when_the_clocks_show_it() -> None:
    calendar = Calendar(NEW_YORK, window=Window.model_validate({"from": "01:30", "to": "03:00"}))
    second = datetime(2026, 11, 1, 6, 10, tzinfo=UTC)  # 01:10, for the second time
    assert next_open(second, calendar).moment == datetime(2026, 11, 1, 6, 30, tzinfo=UTC)


def test_a_late_step_is_shifted_to_the_same_time_of_another_day() -> None:
    calendar = Calendar(NEW_YORK, window=OFFICE)
    found = next_occasion(step("delay: 1 day"), at("2026-06-05 10:15"), at("2026-06-05 16:00"), calendar)
    assert shown(found.moment) == "2026-06-08 10:15 -0400"
    timed = next_occasion(step("delay: 1 day, at: '09:30'"), at("2026-06-05 10:15"), at("2026-06-05 16:00"), calendar)
    assert shown(timed.moment) == "2026-06-08 09:30 -0400"


def test_delays_are_written_as_they_are_counted() -> None:
    assert str(Delay(days=1)) == "1 day"
    assert str(Delay(business_days=3)) == "3 business days"
    assert str(Delay(seconds=86_400)) == "24 hours"
    assert str(Delay(seconds=5_400)) == "90 minutes"


def test_the_first_step_counts_from_the_enrollment_in_words_too() -> None:
    moment = at("2026-06-01 10:00")
    for first, says in ((True, "2 hours after the enrollment"), (False, "2 hours after the step before")):
        timing, calendar = step("delay: 2 hours"), Calendar(NEW_YORK)
        found = due(timing, ended=moment, started=moment, attributes={}, calendar=calendar, first=first)
        assert found.reasons == (says,)
