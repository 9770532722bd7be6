"""What people and machines did with the messages of an enrollment."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from engine.database import Session
from engine.outbox.lookups import look_up

_ENGAGEMENT: Final = """
SELECT o.id, count(*) FILTER (WHERE ev.status = 'opened' AND ev.payload ->> 'machine' IS NULL),
    count(*) FILTER (WHERE ev.status = 'opened' AND ev.payload ->> 'machine' IS NOT NULL),
    count(*) FILTER (WHERE ev.status = 'clicked' AND ev.payload ->> 'machine' IS NULL),
    count(*) FILTER (WHERE ev.status = 'clicked' AND ev.payload ->> 'machine' IS NOT NULL),
    coalesce(array_agg(DISTINCT ev.payload ->> 'link') FILTER (
        WHERE ev.status = 'clicked' AND ev.payload ->> 'machine' IS NULL AND ev.payload ? 'link'
    ), '{{}}')
FROM {outbox} o JOIN events ev ON {event} AND ev.kind = 'signal'
WHERE o.enrollment_id = %(enrollment)s{month} GROUP BY o.id
"""

ENGAGEMENT: Final = _ENGAGEMENT.format(outbox="outbox", event=look_up("ev.outbox_id", "o.id"), month="")
ARCHIVED_ENGAGEMENT: Final = _ENGAGEMENT.format(
    outbox="archived_outbox",
    event=look_up("ev.outbox_id", "o.id"),
    month=" AND o.archived_month = %(month)s::date",
)

#: So many links are named.
LINKS: Final = 5


@dataclass(frozen=True, slots=True)
class Engagement:
    """What was done with a message. An open by a mail scanner or a proxy is a machine's."""

    opened: int = 0
    opened_by_machine: int = 0
    clicked: int = 0
    clicked_by_machine: int = 0
    links: list[str] = field(default_factory=list)
    """That people clicked, each once; at most five."""


def engagement_of(session: Session, enrollment_id: int, month: date | None = None) -> dict[int, Engagement]:
    """Return what was done with messages, by their rows; `month`: they are in the archive of that month."""
    query = ENGAGEMENT if month is None else ARCHIVED_ENGAGEMENT
    asked: dict[str, Any] = {"enrollment": enrollment_id, "month": month}
    found = session.execute(query.encode(), asked).fetchall()
    return {
        row_id: Engagement(opened, opened_by_machine, clicked, clicked_by_machine, sorted(links)[:LINKS])
        for row_id, opened, opened_by_machine, clicked, clicked_by_machine, links in found
    }
