"""Whatever is planned, wherever the contact is: in its window, never in quiet hours, in order, and the same again."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.rules.calendar import Calendar, Hours, Whereabouts, calendar_of, next_open, whereabouts, window_open
from engine.rules.calendar.local import moment_of, to_wall
from engine.rules.calendar.quiet_laws import LAWS
from engine.rules.calendar.zones import spread, zones_of_phone
from engine.rules.planning import Behind, Contact, moved_behind, plan_for
from schema.definition import WEEKDAYS, Definition, QuietHours, SmsStep

ZONES = sorted(available_timezones() - {"localtime", "Factory"})

#: Both changes of the clocks of 2026, of the north and of the south, and a year's days between them.
CHANGES = [
    datetime(2026, month, day, hour, tzinfo=UTC)
    for month, day in ((3, 7), (3, 28), (4, 4), (9, 26), (10, 3), (10, 24), (10, 31))
    for hour in (0, 9, 18)
]
moments = st.one_of(
    st.tuples(st.sampled_from(CHANGES), st.integers(0, 2 * 86_400)).map(lambda at: at[0] + timedelta(seconds=at[1])),
    st.integers(0, 366 * 86_400).map(lambda seconds: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)),
)
minutes = st.integers(0, 24 * 60 - 1)
times = minutes.map(lambda minute: f"{minute // 60:02}:{minute % 60:02}")
windows = st.fixed_dictionaries(
    {"from": times, "to": times},
    optional={
        "days": st.lists(st.sampled_from(WEEKDAYS), min_size=1),
        "holidays": st.sampled_from([["US"], ["GB", "DE-BY"]]),
    },
).filter(lambda window: window["from"] < window["to"])
ranges = st.fixed_dictionaries({"from": times, "to": times}).filter(lambda hours: hours["from"] != hours["to"])
quiet = st.tuples(
    ranges,
    st.dictionaries(
        st.sampled_from(WEEKDAYS),
        st.one_of(ranges, st.just("off"), st.just({"from": "00:00", "to": "24:00"})),
        max_size=4,
    ),
).map(lambda parts: {**parts[0], **parts[1]})
delays = st.one_of(
    st.integers(1, 4_000).map(lambda number: f"{number} minutes"),
    st.integers(1, 10).map(lambda number: f"{number} days"),
    st.integers(1, 10).map(lambda number: f"{number} business days"),
)
dates = st.dates(datetime(2025, 12, 1).date(), datetime(2027, 2, 1).date()).map(str)  # noqa: DTZ001
timings: Any = st.one_of(
    st.fixed_dictionaries({"delay": delays}, optional={"at": times}),
    st.fixed_dictionaries({"after_start": delays}, optional={"at": times}),
    st.fixed_dictionaries({"before": st.just({"attribute": "renewal", "by": "3 days"}), "at": times}),
    st.fixed_dictionaries({"after": st.just({"attribute": "renewal", "by": "1 business day"}), "at": times}),
)
steps = st.tuples(
    timings,
    st.sampled_from([{"type": "sms", "body": "hi"}, {"type": "email", "subject": "hi", "text": "hi"}]),
    st.fixed_dictionaries(
        {},
        optional={
            "window": st.one_of(windows, st.just("off")),
            "quiet_hours": st.one_of(quiet, st.just("off")),
            "if_late": st.sampled_from(["send", "skip", "shift"]),
        },
    ),
).map(lambda parts: {**parts[0], **parts[1], **parts[2]})
definitions = st.tuples(
    st.lists(steps, min_size=1, max_size=5),
    st.fixed_dictionaries(
        {},
        optional={
            "timezone": st.sampled_from(["contact", "workspace", *ZONES]),
            "window": windows,
            "quiet_hours": st.one_of(quiet, st.just("off")),
        },
    ),
).map(
    lambda parts: Definition.model_validate(
        {"sequence": "a", **parts[1], "steps": [{"key": f"s{n}", **step} for n, step in enumerate(parts[0])]}
    )
)
#: Phones and attributes, and the places whose laws they are under.
PHONES: dict[str | None, set[str]] = {
    "+12025550101": {"US"},
    "+15125550101": {"US", "US-TX"},
    "+14015550101": {"US", "US-RI"},
    "+12145550101": {"US", "US-TX"},
    "+14165550101": {"CA"},
    "+18005550101": {"US"},
    "+447911123456": set(),
    "+79161234567": set(),
    "+61412345678": set(),
    "+919876543210": {"IN"},
    None: set(),
}
PLACES: list[tuple[dict[str, str], set[str]]] = [
    ({}, set()),
    ({"state": "Texas"}, {"US", "US-TX"}),
    ({"state": "fl", "country": "U.S.A."}, {"US", "US-FL"}),
    ({"state": "WA", "country": "Australia"}, set()),
    ({"country": "Canada"}, {"CA"}),
]
SETTINGS = [
    "20:00-09:00",
    "off",
    "13:00-14:00",
    "20:00-09:00, sat 22:00-10:00, sun 20:00-12:00",
    "21:00-08:00, wed off, sun 00:00-24:00",
    "20:00-09:00, strict",
    "off, strict",
]
hours_of_workspaces = st.builds(
    Hours,
    timezone=st.sampled_from(ZONES),
    quiet_hours=st.sampled_from(SETTINGS),
    days_off=st.frozensets(dates.map(lambda day: datetime.fromisoformat(day).date()), max_size=3),
)


@st.composite
def contacts_anywhere(draw: st.DrawFn) -> Contact:
    phone, (place, places) = draw(st.sampled_from(list(PHONES))), draw(st.sampled_from(PLACES))
    zone = draw(st.one_of(st.none(), st.sampled_from([*ZONES, "Mars/Base"])))
    hours = draw(hours_of_workspaces)
    where = whereabouts(zone, phone, hours, place)
    expected = PHONES[phone] | places if hours.quiet_hours.endswith("strict") else set()
    assert set(where.laws) == {LAWS[code] for code in expected}
    renewal = draw(st.one_of(st.just({}), dates.map(lambda day: {"renewal": day})))
    return Contact(where, {**place, **renewal})


contacts = contacts_anywhere()


def is_quiet(moment: datetime, hours: QuietHours, zone: Any) -> bool:
    """Return whether it is quiet, by another rule than that of the engine."""
    wall = to_wall(moment, zone)
    written = hours.model_dump(mode="json", by_alias=True)
    today = written.get(WEEKDAYS[wall.weekday()], written)
    if today == "off":
        return False
    clock = f"{wall:%H:%M}"
    if today["from"] < today["to"]:
        return bool(today["from"] <= clock < today["to"])
    return clock >= today["from"] or clock < today["to"]


def assert_allowed(moment: datetime, step: Any, definition: Definition, where: Whereabouts) -> None:
    """Nothing goes out outside its window, nor in quiet hours in any zone in which the contact may be."""
    calendar = calendar_of(step, definition, where)
    if calendar.window is not None:
        wall = to_wall(moment, calendar.zone)
        assert calendar.window.opens <= wall.hour * 60 + wall.minute < calendar.window.closes
        assert WEEKDAYS[wall.weekday()] in calendar.window.days
        assert wall.date() not in where.hours.days_off
    if calendar.quiet is not None:
        assert calendar.quiet_zones
        assert not any(is_quiet(moment, calendar.quiet, zone) for zone in calendar.quiet_zones)
    elif isinstance(step, SmsStep):
        assert "off" in (step.quiet_hours, definition.quiet_hours, where.hours.quiet_hours.partition(",")[0])
    if isinstance(step, SmsStep) and (step.quiet_hours or definition.quiet_hours) != "off":
        assert not where.laws or calendar.quiet_zones
        assert not any(is_quiet(moment, law.hours, zone) for law in where.laws for zone in calendar.quiet_zones)


class Planned(NamedTuple):
    """A step, and when it falls due."""

    order: int
    step: Any
    due_at: datetime | None
    reasons: tuple[str, ...]


def planned(definition: Definition, contact: Contact, started: datetime) -> list[Planned]:
    """The plan of an enrollment that begins at a moment."""
    return [
        Planned(
            one.order,
            definition.steps[one.order - 1],
            None if one.offset is None else started + timedelta(seconds=one.offset),
            one.reasons,
        )
        for one in plan_for(definition, contact, started)
    ]


def taken(plan: list[Planned]) -> list[tuple[Planned, datetime]]:
    """The steps that are not skipped."""
    return [(one, one.due_at) for one in plan if one.due_at is not None]


@given(definitions, contacts, moments)
def test_no_plan_has_a_message_outside_its_window_or_in_quiet_hours(
    definition: Definition, contact: Contact, started: datetime
) -> None:
    plan = planned(definition, contact, started)
    assert plan == planned(definition, contact, started)
    before = started
    for one, due_at in taken(plan):
        assert due_at >= before
        before = due_at
        assert_allowed(due_at, one.step, definition, contact.where)
    assert all(one.reasons for one in plan if one.due_at is None)


@given(definitions, contacts, moments, st.integers(61, 20 * 86_400), st.data())
def test_steps_behind_a_late_one_keep_to_all_of_it(
    definition: Definition, contact: Contact, started: datetime, late: int, data: Any
) -> None:
    plan = taken(planned(definition, contact, started))
    assume(len(plan) > 1)
    number = data.draw(st.integers(0, len(plan) - 2))
    behind = [Behind(one.order, one.step.key, due_at) for one, due_at in plan[number + 1 :]]
    was, ended = plan[number][1], plan[number][1] + timedelta(seconds=late)
    moved = moved_behind(definition, contact, started=started, was=was, ended=ended, behind=behind)
    now = {one.order: one.due_at for one in behind} | {one.order: one.due_at for one in moved}
    before = ended
    for one in behind:
        assert now[one.order] >= max(before, one.due_at)
        before = now[one.order]
    for one in moved:
        step = definition.steps[one.order - 1]
        calendar = calendar_of(step, definition, contact.where)
        assert window_open(one.due_at, calendar) or next_open(one.due_at, calendar).moment is None


@given(st.sampled_from(ZONES), moments, minutes)
def test_a_local_time_is_that_time_or_the_end_of_a_jump(name: str, near: datetime, minute: int) -> None:
    zone = ZoneInfo(name)
    day = to_wall(near, zone).date()
    moment = moment_of(day, minute, zone)
    wall = to_wall(moment, zone)
    if (wall.date(), wall.hour * 60 + wall.minute) != (day, minute):
        before = moment - timedelta(seconds=1)
        assert to_wall(before, zone) < datetime.combine(day, datetime.min.time()) + timedelta(minutes=minute) < wall
    else:
        assert all(to_wall(moment - timedelta(minutes=back), zone) != wall for back in (20, 30, 60, 120, 180, 1_440))
    assert moment_of(day, minute, zone) == moment


@given(moments, st.sampled_from(ZONES), windows, quiet, st.integers(0, 3 * 86_400))
def test_nothing_is_open_between_a_moment_and_its_next_opening(
    moment: datetime, name: str, window: Any, hours: Any, within: int
) -> None:
    definition = Definition.model_validate(
        {
            "sequence": "a",
            "window": window,
            "quiet_hours": hours,
            "steps": [{"key": "a", "type": "sms", "body": "hi"}],
        }
    )
    calendar = calendar_of(definition.steps[0], definition, whereabouts(name, None, Hours()))
    opening = next_open(moment, calendar).moment
    assume(opening is not None)
    assert opening is not None and window_open(opening, calendar)
    assert (opening == moment) == window_open(moment, calendar)
    between = min(opening, moment + timedelta(seconds=within))
    assume(moment.astimezone(calendar.zone).utcoffset() == opening.astimezone(calendar.zone).utcoffset())
    assert between == opening or not window_open(between, calendar)


@pytest.mark.parametrize(
    ("phone", "zones"),
    [
        ("+12025550101", {"America/New_York"}),
        ("+13105550101", {"America/Los_Angeles"}),
        ("+390612345678", {"Europe/Rome"}),
        ("+999", set()),
        ("", set()),
    ],
)
def test_the_zones_of_a_phone(phone: str, zones: set[str]) -> None:
    assert {str(zone) for zone in zones_of_phone(phone)} == zones


def test_a_number_that_may_be_anywhere_says_nothing() -> None:
    anywhere = zones_of_phone("+18005550101")
    assert spread(anywhere) > timedelta(hours=20)
    definition = Definition.model_validate({"sequence": "a", "steps": [{"key": "a", "type": "sms", "body": "hi"}]})
    where = whereabouts(None, "+18005550101", Hours("America/Chicago"))
    (zone,) = calendar_of(definition.steps[0], definition, where).quiet_zones
    assert str(zone) == "America/Chicago"


def test_a_calendar_that_says_nothing_is_always_open() -> None:
    now = datetime(2026, 12, 25, 3, tzinfo=UTC)
    assert next_open(now, Calendar()).moment == now
