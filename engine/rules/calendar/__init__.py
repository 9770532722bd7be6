"""The calendar: when a step falls due where its contact is, and when it may go out. Pure."""

from engine.rules.calendar.calendar import Calendar
from engine.rules.calendar.due import Due, Timing, due
from engine.rules.calendar.opening import Opening, next_open, window_open
from engine.rules.calendar.whereabouts import Hours, Whereabouts, calendar_of, whereabouts

__all__ = [
    "Calendar",
    "Due",
    "Hours",
    "Opening",
    "Timing",
    "Whereabouts",
    "calendar_of",
    "due",
    "next_open",
    "whereabouts",
    "window_open",
]
