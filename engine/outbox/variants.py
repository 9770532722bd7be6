"""Who took which variant of a step, and what came of it. Read by indexes, from the rows of that step on."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from engine.database import Session
from engine.outbox.dispatch import MESSAGES

#: Enrollments of a version that took a variant, and until when what their contact does is about them: until the contact
#: is enrolled in the sequence once more.
TOOK: Final = """
took AS MATERIALIZED (
    SELECT o.enrollment_id, o.outcome AS variant, o.due_at AS since, e.contact_id, e.status, e.exit_reason,
        (
            SELECT min(again.enrolled_at) FROM enrollments again
            WHERE again.contact_id = e.contact_id AND again.sequence_id = e.sequence_id AND again.id > e.id
        ) AS until
    FROM (
        SELECT enrollment_id, outcome, due_at, workspace_id, step_key, type, status FROM outbox
        UNION ALL
        SELECT enrollment_id, outcome, due_at, workspace_id, step_key, type, status FROM archived_outbox
    ) AS o
    JOIN enrollments e ON e.id = o.enrollment_id
    WHERE o.workspace_id = %(workspace)b AND o.step_key = %(step)b AND o.type = 'variants' AND o.status = 'done'
        AND e.version_id = %(version)b
)
"""

#: Messages are those of the variant's own steps. Whoever opened, clicked or replied is counted once.
COUNTS: Final = f"""
WITH {TOOK},
messages AS (
    SELECT took.enrollment_id, count(*) AS sent,
        count(*) FILTER (WHERE m.delivery_status IN ('delivered', 'read')) AS delivered,
        count(*) FILTER (WHERE m.delivery_status IN ('delivered', 'read', 'undelivered', 'failed')) AS reported,
        bool_or(heard.opened) AS opened, bool_or(heard.by_machine) AS by_machine, bool_or(heard.clicked) AS clicked
    FROM took JOIN (
        SELECT id, enrollment_id, step_key, type, status, delivery_status FROM outbox
        UNION ALL
        SELECT id, enrollment_id, step_key, type, status, delivery_status FROM archived_outbox
    ) AS m ON m.enrollment_id = took.enrollment_id AND m.step_key = ANY(%(messages)b::text[])
        AND m.type IN ({MESSAGES}) AND m.status = 'sent'
    CROSS JOIN LATERAL (
        SELECT bool_or(ev.status = 'opened' AND ev.payload ->> 'machine' IS NULL) AS opened,
            bool_or(ev.status = 'opened' AND ev.payload ->> 'machine' IS NOT NULL) AS by_machine,
            bool_or(ev.status = 'clicked' AND ev.payload ->> 'machine' IS NULL) AS clicked
        FROM events ev WHERE ev.outbox_id = m.id AND ev.kind = 'signal'
    ) AS heard
    GROUP BY took.enrollment_id
)
SELECT took.variant, count(*), coalesce(sum(messages.sent), 0)::bigint, coalesce(sum(messages.delivered), 0)::bigint,
    coalesce(sum(messages.reported), 0)::bigint,
    count(*) FILTER (WHERE messages.opened), count(*) FILTER (WHERE messages.by_machine),
    count(*) FILTER (WHERE messages.clicked),
    count(*) FILTER (WHERE EXISTS (
        SELECT FROM events ev WHERE ev.contact_id = took.contact_id
            AND (ev.kind = 'signal' AND ev.status = 'replied'
                OR ev.kind = 'inbound' AND ev.status IN ('reply', 'doubtful'))
            AND coalesce(ev.occurred_at, ev.received_at) >= took.since
            AND (took.until IS NULL OR coalesce(ev.occurred_at, ev.received_at) < took.until)
    ))
FROM took LEFT JOIN messages USING (enrollment_id)
GROUP BY took.variant
"""

EXITS: Final = f"""
WITH {TOOK}
SELECT variant, exit_reason, count(*) FROM took WHERE status = 'cancelled' GROUP BY 1, 2 ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Counts:
    """What came of a variant."""

    taken: int = 0
    """Enrollments that took it."""
    sent: int = 0
    """Messages of its own steps."""
    delivered: int = 0
    reported: int = 0
    """Messages of whose delivery the provider told the end. An SMTP server tells none."""
    opened: int = 0
    """Enrollments in which a person opened one of them."""
    opened_by_machine: int = 0
    """Enrollments in which a scanner or a privacy proxy did."""
    clicked: int = 0
    replied: int = 0
    exits: dict[str, int] = field(default_factory=dict)
    """Enrollments that left early, by the reason."""


def count_variants(
    session: Session, workspace_id: int, version_id: int, step: str, messages: Sequence[str]
) -> dict[str, Counts]:
    """What came of each variant that somebody took; `messages` are the keys of the steps within."""
    asked = {"workspace": workspace_id, "version": version_id, "step": step, "messages": list(messages)}
    exits: dict[str, dict[str, int]] = {}
    for variant, reason, number in session.execute(EXITS, asked, binary=True):
        exits.setdefault(variant, {})[reason] = number
    return {
        variant: replace(Counts(*numbers), exits=exits.get(variant, {}))
        for variant, *numbers in session.execute(COUNTS, asked, binary=True)
    }
