"""Read what is known of enrollments and their contacts, for the rules to judge."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from engine.database import Session
from engine.outbox.base import BASE
from engine.outbox.lookups import checked, look_up
from engine.rules.facts import Facts, Signal, StepFact
from schema.states import RowStatus, SignalKind

STEPS: Final = f"""
SELECT o.enrollment_id, o.step_key, o.status, o.outcome, o.delivery_status, date_part('epoch', o.sent_at),
    CASE o.status WHEN 'sent' THEN date_part('epoch', {BASE}) END
FROM outbox o WHERE o.enrollment_id = ANY(%(enrollments)b::bigint[])
"""

#: A reply that came in by a webhook is one, and so is a message that may be an opt-out. What is about a message of
#: another enrollment names no step of this one. OFFSET 0 keeps the look-up by the contact: a plan from when there were
#: no events would otherwise walk the whole index for each enrollment.
SIGNALS: Final = f"""
SELECT e.id, CASE ev.kind WHEN 'inbound' THEN 'replied' ELSE ev.status END,
    date_part('epoch', coalesce(ev.occurred_at, ev.received_at)), o.step_key, ev.payload ->> 'link',
    ev.payload ->> 'name', ev.payload ->> 'machine'
FROM enrollments e CROSS JOIN LATERAL (SELECT * FROM events WHERE contact_id = e.contact_id OFFSET 0) AS ev
LEFT JOIN outbox o ON {look_up("o.id", "ev.outbox_id")} AND o.enrollment_id = e.id
WHERE e.id = ANY(%(enrollments)b::bigint[]) AND coalesce(ev.occurred_at, ev.received_at) >= e.enrolled_at
    AND (ev.kind = 'signal' OR ev.kind = 'inbound' AND ev.status IN ('reply', 'doubtful'))
"""

CONTACTS: Final = f"""
SELECT e.id, date_part('epoch', e.enrolled_at), e.data, c.attributes, c.tags,
    c.first_name, c.last_name, c.email, c.phone, c.external_id, c.timezone,
    ARRAY(
        SELECT s.key FROM enrollments other JOIN sequences s ON {look_up("s.id", "other.sequence_id")}
        WHERE other.contact_id = c.id AND {checked("other.status IN ('active', 'paused')")}
    )
FROM enrollments e JOIN contacts c ON {look_up("c.id", "e.contact_id")} WHERE e.id = ANY(%(enrollments)b::bigint[])
"""


def read_facts(session: Session, enrollment_id: int) -> Facts:
    """All that questions about this enrollment can be about."""
    facts = read_all_facts(session, [enrollment_id]).get(enrollment_id)
    if facts is None:
        raise LookupError(f"enrollment {enrollment_id} has no contact")
    return facts


def read_all_facts(session: Session, enrollments: Sequence[int], *, begun: bool = True) -> dict[int, Facts]:
    """The same of many; `begun`: False if none of their steps has its time yet, and nothing was heard since."""
    asked = {"enrollments": list(enrollments)}
    steps: dict[int, dict[str, StepFact]] = defaultdict(dict)
    signals: dict[int, list[Signal]] = defaultdict(list)
    if begun:
        for one, key, status, *rest in session.execute(STEPS, asked, binary=True):
            steps[one][key] = StepFact(RowStatus(status), *rest)
        for one, kind, at, *rest in session.execute(SIGNALS, asked, binary=True):
            signals[one].append(Signal(SignalKind(kind), at, *rest))
    facts = {}
    for one, enrolled_at, data, attributes, tags, *columns, sequences in session.execute(CONTACTS, asked, binary=True):
        facts[one] = Facts(
            enrolled_at=enrolled_at,
            steps=steps[one],
            signals=signals[one],
            attributes=_attributes(columns, attributes, data),
            tags=frozenset(tags),
            sequences=frozenset(sequences),
        )
    return facts


def _attributes(columns: list[Any], attributes: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """The contact's own columns too; what belongs to the enrollment alone comes first."""
    names = ("first_name", "last_name", "email", "phone", "external_id", "timezone")
    return {**dict(zip(names, columns, strict=True)), **attributes, **data}
