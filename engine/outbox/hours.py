"""What workspaces say of their time, as it is read from the database."""

from datetime import date
from typing import Final

from engine.rules.calendar import Hours

#: Of `workspaces w`.
HOURS: Final = "w.timezone, w.quiet_hours, w.holidays"


def hours_of(timezone: str, quiet_hours: str, holidays: list[date]) -> Hours:
    """What a row says, whose columns are `HOURS`."""
    return Hours(timezone, quiet_hours, frozenset(holidays))
