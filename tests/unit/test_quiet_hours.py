"""Quiet hours that differ by day: how they are written, read, stored and refused."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from engine.rules.calendar import Calendar, next_open
from schema.definition import WEEKDAYS, Definition, InvalidDefinition, QuietHours, json_schema, parse
from schema.definition.quiet_hours import read_quiet_setting
from schema.definition.writing import to_yaml

BERLIN = ZoneInfo("Europe/Berlin")
SUNDAY = {"from": "20:00", "to": "09:00", "sun": {"from": "20:00", "to": "12:00"}}

ALL_SHUT = "{" + ", ".join(f"{day}: {{from: '00:00', to: '24:00'}}" for day in WEEKDAYS) + "}"


def sequence(hours: str, step: str = "") -> Definition:
    return parse(f"sequence: a\nquiet_hours: {hours}\nsteps: [{{key: a, type: sms, body: Hi{step}}}]")


@pytest.mark.parametrize(
    ("moment", "opens", "reason"),
    [
        ("2026-06-06 21:00", "Sun 12:00", "quiet hours: Sunday before 12:00 in Europe/Berlin"),
        ("2026-06-07 11:59", "Sun 12:00", "quiet hours: Sunday before 12:00 in Europe/Berlin"),
        ("2026-06-07 12:00", "Sun 12:00", None),
        ("2026-06-07 20:00", "Mon 09:00", "quiet hours: Monday before 09:00 in Europe/Berlin"),
        ("2026-06-08 08:59", "Mon 09:00", "quiet hours: Monday before 09:00 in Europe/Berlin"),
        # The clocks go from 02:00 to 03:00 on this Sunday, and from 03:00 to 02:00 on that one.
        ("2026-03-28 23:00", "Sun 12:00", "quiet hours: Sunday before 12:00 in Europe/Berlin"),
        ("2026-10-24 23:00", "Sun 12:00", "quiet hours: Sunday before 12:00 in Europe/Berlin"),
    ],
)
def test_a_day_has_hours_of_its_own(moment: str, opens: str, reason: str | None) -> None:
    calendar = Calendar(BERLIN, quiet=QuietHours.model_validate(SUNDAY), quiet_zones=(BERLIN,))
    found = next_open(datetime.fromisoformat(moment).replace(tzinfo=BERLIN).astimezone(UTC), calendar)
    assert found.moment is not None
    assert f"{found.moment.astimezone(BERLIN):%a %H:%M}" == opens
    assert (found.reasons[-1] if found.reasons else None) == reason


@pytest.mark.parametrize(
    ("day", "moment", "opens", "reason"),
    [
        ("off", "2026-06-07 03:00", "Sun 03:00", None),
        ({"from": "00:00", "to": "24:00"}, "2026-06-07 03:00", "Mon 09:00", "Monday before 09:00"),
        ({"from": "13:00", "to": "15:00"}, "2026-06-07 14:00", "Sun 15:00", "Sunday 13:00-15:00"),
        ({"from": "18:00", "to": "24:00"}, "2026-06-07 03:00", "Sun 03:00", None),
    ],
)
def test_a_day_may_be_off_or_whole_or_in_the_middle(day: object, moment: str, opens: str, reason: str | None) -> None:
    quiet = QuietHours.model_validate({"from": "20:00", "to": "09:00", "sun": day})
    calendar = Calendar(BERLIN, quiet=quiet, quiet_zones=(BERLIN,))
    found = next_open(datetime.fromisoformat(moment).replace(tzinfo=BERLIN).astimezone(UTC), calendar)
    assert found.moment is not None
    assert f"{found.moment.astimezone(BERLIN):%a %H:%M}" == opens
    assert (found.reasons[-1] if found.reasons else None) == (reason and f"quiet hours: {reason} in Europe/Berlin")


def test_a_file_with_days_is_read_stored_and_written_the_same() -> None:
    definition = sequence('{from: "20:00", to: "09:00", sun: {from: "20:00", to: "12:00"}, sat: off}')
    assert str(definition.quiet_hours) == "20:00-09:00, sat off, sun 20:00-12:00"
    assert Definition.restore(definition.canonical()) == definition
    assert parse(to_yaml(definition)) == definition
    assert sequence("{}").canonical()["quiet_hours"] == {"from": "20:00", "to": "09:00"}, "its digest stays"
    assert {"mon", "sun", "from"} <= set(json_schema()["$defs"]["QuietHours"]["properties"])


@pytest.mark.parametrize(
    ("hours", "step", "says"),
    [
        ("{sun: {from: '20:00'}}", "", "'to' is missing: expected a time of day, such as \"12:00\""),
        ("{sun: {from: '8pm', to: '12:00'}}", "", "'8pm' is not a time of day"),
        ("{sun: {from: '12:00', to: '12:00'}}", "", "'sun': they begin and end at the same time"),
        ("{sun: yes}", "", "'sun' can't be 'yes': expected the hours of that day"),
        ("{sunday: off}", "", "unknown key 'sunday' (did you mean 'sun'?)"),
        (
            ALL_SHUT,
            "",
            "all days are quiet all day: no SMS would ever go out",
        ),
        ("{}", ", at: '21:00'", "in the quiet hours 20:00-09:00"),
        (
            "{sun: {from: '00:00', to: '24:00'}}",
            ", window: {days: [sun], from: '10:00'}",
            "the window never opens outside of the quiet hours",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_reported(hours: str, step: str, says: str) -> None:
    with pytest.raises(InvalidDefinition) as error:
        sequence(hours, step)
    assert says in str(error.value)


def test_a_local_time_that_is_quiet_on_one_day_only_is_taken() -> None:
    assert sequence("{sun: {from: '20:00', to: '12:00'}}", ", at: '10:00'").steps[0].at == 600


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("20:00-09:00", "20:00-09:00"),
        (" 8:00 - 9:30 ", "08:00-09:30"),
        ("Off", "off"),
        ("none", "off"),
        ("strict", "20:00-09:00, strict"),
        ("21:00-08:00, STRICT", "21:00-08:00, strict"),
        ("off, strict", "off, strict"),
        ("20:00-09:00,sun 20:00-12:00, sat off", "20:00-09:00, sat off, sun 20:00-12:00"),
        ("20:00-09:00, sun 00:00-24:00, strict", "20:00-09:00, sun 00:00-24:00, strict"),
    ],
)
def test_a_workspace_has_them_in_one_line(text: str, stored: str) -> None:
    setting = read_quiet_setting(text)
    assert str(setting) == stored
    assert read_quiet_setting(stored) == setting


@pytest.mark.parametrize(
    "text",
    ["", "8pm", "20:00", "20:00-20:00", "20:00-09:00, sunday 1:00-2:00", "20:00-09:00, sun", "20:00-09:00, sun x",
     "off, sun 20:00-09:00", "20:00-09:00, sun off, sun off", "strict, 20:00-09:00", "20:00-09:00, strict, sun off"],
)  # fmt: skip
def test_a_line_that_can_not_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected two times of day, such as 20:00-09:00"):
        read_quiet_setting(text)
