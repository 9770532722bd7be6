"""Time zones as people write them."""

from zoneinfo import ZoneInfo, available_timezones

import pytest
from babel.core import get_global
from hypothesis import given
from hypothesis import strategies as st

from engine.rules.calendar.zones import SEASONS
from producers.time_zones import AMERICAN, PARTS_OF_HOURS, RAILS, time_zone

IANA = sorted(available_timezones() - {"localtime"})


@pytest.mark.parametrize(
    ("written", "zone"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("america/new_york", "America/New_York"),
        ("America/New York", "America/New_York"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("pacific standard time", "America/Los_Angeles"),
        ("Pacific Time (US & Canada)", "America/Los_Angeles"),
        ("(GMT-08:00) Pacific Time (US & Canada)", "America/Los_Angeles"),
        ("(UTC+01:00) Berlin", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("EDT", "America/New_York"),
        ("UTC-8", "Etc/GMT+8"),
        ("UTC+05:30", "Asia/Kolkata"),
        ("GMT+2", "Etc/GMT-2"),
        ("+0100", "Etc/GMT-1"),
        ("\u221203:00", "Etc/GMT+3"),
        ("UTC+0", "UTC"),
        ("utc", "UTC"),
    ],
)
def test_what_people_write(written: str, zone: str) -> None:
    assert time_zone(written) == zone


@given(st.sampled_from(IANA), st.booleans(), st.booleans())
def test_an_iana_name_is_itself_in_any_case(name: str, upper: bool, spaces: bool) -> None:
    written = name.upper() if upper else name.lower()
    assert time_zone(written.replace("_", " ") if spaces else written) == name


@pytest.mark.parametrize(
    "names", [RAILS, AMERICAN, dict(get_global("windows_zone_mapping"))], ids=["rails", "us", "windows"]
)
def test_every_name_of_the_lists_is_a_zone_that_there_is(names: dict[str, str]) -> None:
    for name in names:
        ZoneInfo(time_zone(name))


@pytest.mark.parametrize("minutes", sorted(PARTS_OF_HOURS))
def test_an_offset_of_a_part_of_an_hour_is_kept_all_year(minutes: int) -> None:
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    zone = ZoneInfo(time_zone(f"UTC{sign}{hours:02d}:{rest:02d}"))
    offsets = {moment.astimezone(zone).utcoffset() for moment in SEASONS}
    assert [offset.total_seconds() / 60 for offset in offsets if offset is not None] == [minutes]


@pytest.mark.parametrize("written", ["Mars/Olympus", "UTC+99", "UTC+05:17", "", "()", "12345", "Europe/Berlni"])
def test_anything_else_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"is not a time zone.*Europe/Berlin"):
        time_zone(written)
