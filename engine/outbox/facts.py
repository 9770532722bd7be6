"""Read what is known of an enrollment and its contact, for the rules to judge."""

from typing import Any, Final

from engine.database import Session
from engine.outbox.advance import Held
from engine.rules.facts import Facts, Signal, StepFact
from schema.states import RowStatus, SignalKind

STEPS: Final = """
SELECT step_key, status, outcome, delivery_status, date_part('epoch', sent_at) FROM outbox
WHERE enrollment_id = %(enrollment)b
"""

#: A reply that came in by a webhook is one, and so is a message that may be an opt-out. What is about a message of
#: another enrollment names no step of this one.
SIGNALS: Final = """
SELECT CASE ev.kind WHEN 'inbound' THEN 'replied' ELSE ev.status END,
    date_part('epoch', coalesce(ev.occurred_at, ev.received_at)), o.step_key, ev.payload ->> 'link',
    ev.payload ->> 'name', ev.payload ->> 'machine'
FROM events ev LEFT JOIN outbox o ON o.id = ev.outbox_id AND o.enrollment_id = %(enrollment)b
WHERE ev.contact_id = %(contact)b AND coalesce(ev.occurred_at, ev.received_at) >= %(since)b
    AND (ev.kind = 'signal' OR ev.kind = 'inbound' AND ev.status IN ('reply', 'doubtful'))
"""

CONTACT: Final = """
SELECT e.enrolled_at, date_part('epoch', e.enrolled_at), e.data, c.attributes, c.tags,
    c.first_name, c.last_name, c.email, c.phone, c.external_id, c.timezone,
    ARRAY(
        SELECT s.key FROM enrollments other JOIN sequences s ON s.id = other.sequence_id
        WHERE other.contact_id = c.id AND other.status IN ('active', 'paused')
    )
FROM enrollments e JOIN contacts c ON c.id = e.contact_id WHERE e.id = %(enrollment)b
"""


def read_facts(session: Session, held: Held) -> Facts:
    """All that questions about this enrollment can be about."""
    steps = session.execute(STEPS, {"enrollment": held.id}, binary=True).fetchall()
    row = session.execute(CONTACT, {"enrollment": held.id}, binary=True).fetchone()
    if row is None:
        raise LookupError(f"enrollment {held.id} has no contact")
    since, enrolled_at, data, attributes, tags, *columns, sequences = row
    signals = session.execute(
        SIGNALS, {"enrollment": held.id, "contact": held.contact_id, "since": since}, binary=True
    ).fetchall()
    return Facts(
        enrolled_at=enrolled_at,
        steps={
            key: StepFact(RowStatus(status), outcome, delivery, sent_at)
            for key, status, outcome, delivery, sent_at in steps
        },
        signals=[Signal(SignalKind(kind), at, *rest) for kind, at, *rest in signals],
        attributes=_attributes(columns, attributes, data),
        tags=frozenset(tags),
        sequences=frozenset(sequences),
    )


def _attributes(columns: list[Any], attributes: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """The contact's own columns too; what belongs to the enrollment alone comes first."""
    names = ("first_name", "last_name", "email", "phone", "external_id", "timezone")
    return {**dict(zip(names, columns, strict=True)), **attributes, **data}
