"""What lists call an enrollment: `Demo follow-up - Bella Pizza - 2025-01-17`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

#: So much of a phone number is shown, from its end.
LAST_DIGITS: Final = 4


@dataclass(frozen=True, slots=True)
class Named:
    """What an enrollment is named by."""

    sequence_name: str
    contact_id: int
    company: str | None
    first_name: str | None
    last_name: str | None
    external_id: str | None
    email: str | None
    phone: str | None
    enrolled_at: datetime
    """Sequence time."""
    timezone: str
    """Of the contact, else of the workspace."""


def enrollment_name(named: Named) -> str:
    """The sequence, whom it is about, and the day on which they were enrolled where they are."""
    return f"{named.sequence_name} - {whom(named)} - {named.enrolled_at.astimezone(_zone(named.timezone)):%Y-%m-%d}"


def whom(named: Named) -> str:
    """The contact's company, else their name, else what else is known of them; addresses are not told in full."""
    if company := _one_line(named.company):
        return company
    if name := _one_line(f"{named.first_name or ''} {named.last_name or ''}"):
        return name
    if external_id := _one_line(named.external_id):
        return external_id
    if named.email:
        user, _, domain = named.email.rpartition("@")
        return f"{user[:1]}…@{domain}"
    if named.phone:
        return f"…{named.phone[-LAST_DIGITS:]}"
    return f"contact {named.contact_id}"


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")  # a zone that an older tz database knew
