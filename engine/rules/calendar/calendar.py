"""The calendar of a step for one contact: its zone, its window, its quiet hours, the days off."""

from dataclasses import dataclass, field
from datetime import date, timedelta, tzinfo
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

from engine.rules.calendar.quiet_laws import QuietLaw
from schema.definition import WEEKDAYS, QuietHours, Window
from schema.definition.calendar import DateFormat

BUSINESS_DAYS: Final = WEEKDAYS[:5]


@dataclass(frozen=True, slots=True)
class Calendar:
    """When a step of one contact may go out, and in which zone its days and local times are."""

    zone: tzinfo = field(default_factory=lambda: ZoneInfo("UTC"))
    window: Window | None = None
    """None: at any time."""
    quiet: QuietHours | None = None
    """None: there are none."""
    laws: tuple[QuietLaw, ...] = ()
    """Laws whose quiet hours apply too."""
    quiet_zones: tuple[tzinfo, ...] = ()
    """The contact may be in any of these: it must be quiet in none of them."""
    days_off: frozenset[date] = frozenset()
    """The workspace's own."""
    date_format: DateFormat | None = None
    """How the sequence says that dates of contacts are written."""

    def is_day_off(self, day: date) -> bool:
        """Whether it is a holiday, of the window's countries or of the workspace."""
        countries = self.window.holidays if self.window is not None else ()
        return day in self.days_off or any(day in holidays_of(country, day.year) for country in countries)

    def opens_on(self, day: date) -> bool:
        """Whether the window opens at all on a day."""
        if self.window is None:
            return True
        return WEEKDAYS[day.weekday()] in self.window.days and not self.is_day_off(day)

    def is_business_day(self, day: date) -> bool:
        """Whether it counts as one: a day of the window, Monday to Friday without one, that is no day off."""
        days = self.window.days if self.window is not None else BUSINESS_DAYS
        return WEEKDAYS[day.weekday()] in days and not self.is_day_off(day)


@cache
def holidays_of(country: str, year: int) -> frozenset[date]:
    """The public holidays of a country, or of a subdivision of it such as `DE-BY`."""
    from holidays import country_holidays  # only for who asks: it takes a tenth of a second to import

    code, _, subdivision = country.partition("-")
    return frozenset(country_holidays(code, subdiv=subdivision or None, years=year))


def next_day(day: date) -> date:
    """The day after."""
    return day + timedelta(days=1)
