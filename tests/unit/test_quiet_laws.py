"""The quiet hours of the law: where a contact may be, and what holds there."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from phonenumbers.geodata import GEOCODE_DATA

from engine.rules.calendar import Hours, calendar_of, next_open, whereabouts
from engine.rules.calendar.places import laws_of
from engine.rules.calendar.quiet_laws import LAWS
from engine.rules.calendar.us_states import AREA_CODES, CANADA, STATES
from schema.definition import WEEKDAYS, parse

SMS = parse("sequence: a\nsteps: [{key: a, type: sms, body: Hi}]")
OWN = parse('sequence: a\nquiet_hours: {from: "23:00", to: "06:00"}\nsteps: [{key: a, type: sms, body: Hi}]')
OFF = parse("sequence: a\nquiet_hours: off\nsteps: [{key: a, type: sms, body: Hi}]")
EMAIL = parse("sequence: a\nsteps: [{key: a, type: email, subject: a, text: b}]")


def names(phone: str | None, **attributes: object) -> list[str]:
    return [law.name for law in laws_of(phone, attributes)]


@pytest.mark.parametrize(
    ("phone", "attributes", "expected"),
    [
        ("+15125550101", {}, ["the United States", "Texas"]),
        ("+151255501", {}, ["the United States", "Texas"]),
        ("+12065550101", {"state": "TX"}, ["the United States", "Texas", "Washington"]),
        ("+18005550101", {}, ["the United States"]),
        ("+14165550101", {}, ["Canada"]),
        ("+14165550101", {"country": "US", "state": "florida"}, ["the United States", "Florida", "Canada"]),
        ("+919876543210", {}, ["India"]),
        ("+4915112345678", {}, []),
        ("+4915112345678", {"country": "u.s.a."}, ["the United States"]),
        (None, {"state": " Rhode  Island "}, ["the United States", "Rhode Island"]),
        (None, {"state": "us-ri"}, ["the United States", "Rhode Island"]),
        (None, {"state": "IN"}, ["the United States"]),
        (None, {"country": "IN"}, ["India"]),
        (None, {"state": "WA", "country": "AU"}, []),
        (None, {"state": 7, "country": ["US"]}, []),
        (None, {}, []),
    ],
)
def test_where_a_contact_may_be(phone: str | None, attributes: dict[str, object], expected: list[str]) -> None:
    assert sorted(names(phone, **attributes)) == sorted(expected)


def test_area_codes_agree_with_the_library() -> None:
    by_code = {area: state for state, areas in AREA_CODES.items() for area in areas.split()}
    assert sum(len(areas.split()) for areas in AREA_CODES.values()) == len(by_code)
    assert set(AREA_CODES) == set(STATES)
    for prefix, described in GEOCODE_DATA.items():
        place = described.get("en", "")
        if len(prefix) != 4 or not prefix.startswith("1"):
            continue
        state = by_code.get(prefix[1:])
        if state is None:
            assert prefix[1:] in CANADA, place
        else:
            name = {"DC": "Washington D.C.", "WA": "Washington State"}.get(state, STATES[state])
            assert place == name or place.endswith(f", {state}"), prefix


def test_every_law_has_its_source_and_leaves_some_time() -> None:
    for code, law in LAWS.items():
        assert law.statute
        assert code.partition("-")[0] in {"US", "CA", "IN"}
        assert code[:3] != "US-" or law.name == STATES[code[3:]]
        assert any(not law.hours.cover(minute, day) for day in WEEKDAYS for minute in range(24 * 60))


def opening(definition: object, moment: str, *, setting: str = "off, strict", phone: str = "+15125550101") -> str:
    """When an SMS may go out to Texas, in its own time, and why not before."""
    assert hasattr(definition, "steps")
    where = whereabouts("America/Chicago", phone, Hours("UTC", setting))
    calendar = calendar_of(definition.steps[0], definition, where)  # type: ignore[arg-type]
    zone = ZoneInfo("America/Chicago")
    found = next_open(datetime.fromisoformat(moment).replace(tzinfo=zone).astimezone(UTC), calendar)
    assert found.moment is not None
    return f"{found.moment.astimezone(zone):%a %H:%M}; {found.reasons[-1] if found.reasons else 'at once'}"


def test_the_law_of_a_state_is_named() -> None:
    assert opening(SMS, "2026-06-07 10:00") == (
        "Sun 12:00; quiet hours of Texas: Sunday before 12:00 in America/Chicago"
    )
    assert opening(SMS, "2026-06-06 22:00") == (
        "Sun 12:00; quiet hours of Texas: Sunday before 12:00 in America/Chicago"
    )
    assert opening(SMS, "2026-06-08 08:30") == "Mon 09:00; quiet hours of Texas: Monday before 09:00 in America/Chicago"
    assert opening(SMS, "2026-06-06 21:00", phone="+12055550101") == (
        "Mon 08:00; quiet hours of Alabama: Monday before 08:00 in America/Chicago"
    )
    assert opening(SMS, "2026-06-08 20:30") == "Mon 20:30; at once"


def test_the_strictest_of_what_applies_holds() -> None:
    assert opening(SMS, "2026-06-08 20:30", setting="20:00-09:00, strict").startswith("Tue 09:00; ")
    assert opening(SMS, "2026-06-07 10:00", setting="20:00-09:00, strict").startswith("Sun 12:00; ")
    assert opening(SMS, "2026-06-07 10:00", setting="20:00-09:00") == "Sun 10:00; at once"
    assert opening(OWN, "2026-06-07 10:00").startswith("Sun 12:00; quiet hours of Texas")
    assert opening(OFF, "2026-06-07 03:00") == "Sun 03:00; at once", "the sequence says that its SMS are exempt"
    assert opening(EMAIL, "2026-06-07 03:00") == "Sun 03:00; at once"
