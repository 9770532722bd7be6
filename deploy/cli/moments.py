"""Moments as people give them on the command line."""

from datetime import datetime

from engine.errors import InvalidInput


def moment_with_zone(text: str | None, what: str) -> datetime | None:
    """Read a moment that names its zone; None: none was given. `what` begins the error: the command, or its option.

    Raises:
        InvalidInput: it is no moment, or has no zone.
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            f"{what}: {text!r} is no time: expected such as 2026-03-01T09:00+01:00 or 2026-03-01T09:00Z"
        ) from None
    if moment.tzinfo is None:
        raise InvalidInput(f"{what}: {text!r} has no zone: expected such as 2026-03-01T09:00+01:00 or ...T08:00Z")
    return moment
