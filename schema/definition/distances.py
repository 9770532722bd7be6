"""How far apart messages are, at least: two of them at once would be one too many."""

from datetime import timedelta
from typing import Any, Final

from schema.definition.delay import parse_delay
from schema.definition.document import Document, Path, Unquoted
from schema.definition.duration import MIN_DELAY
from schema.states import MESSAGE_TYPES, TASK_TYPES

#: Further apart than anything is asked to be.
FAR: Final = timedelta.max


def check_distances(steps: list[Any], document: Document) -> None:
    """Report each message that may follow another within less than a minute."""
    _check(steps, ("steps",), FAR, document)


def _check(steps: list[Any], place: Path, since: timedelta, document: Document) -> timedelta:
    """Go through the steps; `since` the last message it is at least so long. Give the same for what is behind."""
    for number, step in enumerate(steps):
        if isinstance(step, dict):
            since = _behind(step, (*place, number), since, document)
    return since


def _behind(step: dict[str, Any], path: Path, since: timedelta, document: Document) -> timedelta:
    kind = step.get("type")
    if kind in TASK_TYPES:
        return FAR  # nobody knows
    if any(step.get(name) is not None for name in ("after_start", "before", "after")):
        return timedelta() if kind in MESSAGE_TYPES else FAR  # it is where the calendar says
    delay = _delay(step)
    if since is not FAR and delay is not None:
        since += delay
    if kind in MESSAGE_TYPES:
        if since < MIN_DELAY and delay is not None:
            given = f"'delay' is {document.written((*path, 'delay'))}" if "delay" in step else "'delay' is missing"
            message = f"delay under one minute between messages: {given}, expected at least 1 minute"
            document.report((*path, "delay"), message)
        return timedelta()
    if kind == "variants" and isinstance(step.get("variants"), dict):
        variants = [
            ((*path, "variants", name, "steps"), variant.get("steps"))
            for name, variant in step["variants"].items()
            if isinstance(variant, dict)
        ]
        ends = [_check(steps, at, since, document) for at, steps in variants if isinstance(steps, list)]
        return min([*ends, *([since] if len(ends) < len(variants) else [])], default=since)
    if kind == "condition":
        branches = [step[name] if isinstance(step.get(name), list) else [] for name in ("then", "else")]
        ends = [
            _check(branch, (*path, name), since, document)
            for name, branch in zip(("then", "else"), branches, strict=True)
        ]
        return min(ends)
    return since


def _delay(step: dict[str, Any]) -> timedelta | None:
    """Its delay; None: it has one that can't be read, which is told by the field itself."""
    delay = step.get("delay", "0 minutes")
    written = delay.written if isinstance(delay, Unquoted) else delay
    try:
        return timedelta(seconds=parse_delay(written).total_seconds()) if isinstance(written, str) else None
    except ValueError:
        return None
