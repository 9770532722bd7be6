"""What is wrong with the time of a step, beyond its single fields."""

from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from schema.definition.calendar import WEEKDAYS, LocalTime, MaybeWindow, Window, time_of_day
from schema.definition.document import Document, Path
from schema.definition.quiet_hours import MaybeQuietHours, QuietHours

#: A step says one of these, or nothing.
ANCHORS: Final = ("delay", "after_start", "before", "after")

_TIME: Final[TypeAdapter[int]] = TypeAdapter(LocalTime)
_WINDOW: Final[TypeAdapter[Any]] = TypeAdapter(MaybeWindow)
_QUIET: Final[TypeAdapter[Any]] = TypeAdapter(MaybeQuietHours)


def check_timing(step: dict[str, Any], header: dict[str, Any], path: Path, document: Document) -> None:
    """Report what contradicts itself in when a step goes out; what is wrong with a field is told by the field."""
    anchors = [name for name in ANCHORS if step.get(name) is not None]
    for name in anchors[1:]:
        message = f"'{anchors[0]}' and '{name}' are both given: expected one of {', '.join(ANCHORS)}"
        document.report((*path, name), message)
    if anchors and anchors[0] in ("before", "after") and step.get("at") is None:
        message = f"'at' is missing: a step {anchors[0]} a date needs its local time of day, such as \"09:00\""
        document.report((*path, anchors[0]), message)
    _check_hours(step, header, path, document)


def _check_hours(step: dict[str, Any], header: dict[str, Any], path: Path, document: Document) -> None:
    window = _in_force(_WINDOW, "window", step, header)
    quiet = _in_force(_QUIET, "quiet_hours", step, header if step["type"] == "sms" else {})
    at = _read(_TIME, step.get("at"))
    if isinstance(window, Window) and at is not None and not window.opens <= at < window.closes:
        hours = f"{time_of_day(window.opens)} to {time_of_day(window.closes)}"
        document.report((*path, "at"), f"'at' is {time_of_day(at)}, outside of the window: expected {hours}")
    days = window.days if isinstance(window, Window) else WEEKDAYS
    if isinstance(quiet, QuietHours) and at is not None and all(quiet.cover(at, day) for day in days):
        document.report((*path, "at"), f"'at' is {time_of_day(at)}, in the quiet hours {quiet}")
    if isinstance(window, Window) and isinstance(quiet, QuietHours) and _never_meet(window, quiet):
        place = next(((*path, name) for name in ("window", "quiet_hours") if name in step), ("window",))
        document.report(place, f"the window never opens outside of the quiet hours {quiet}")


def _never_meet(window: Window, quiet: QuietHours) -> bool:
    return all(quiet.cover(minute, day) for day in window.days for minute in range(window.opens, window.closes))


def _in_force(kind: TypeAdapter[Any], name: str, step: dict[str, Any], header: dict[str, Any]) -> Any:
    return _read(kind, header.get(name) if step.get(name) is None else step[name])


def _read(kind: TypeAdapter[Any], value: Any) -> Any:
    """What the value means; None: nothing, or something wrong."""
    try:
        return None if value is None else kind.validate_python(value)
    except ValidationError:
        return None
