"""What action steps do to their contact and its enrollments. The contact is held, and so is the enrollment."""

from dataclasses import dataclass, field
from typing import Final

from psycopg.types.json import Jsonb

from engine.database import Session
from engine.outbox.advance import Held
from engine.outbox.goals import end_at_goal
from engine.outbox.hours import HOURS, hours_of
from engine.outbox.leave import CANCEL
from engine.outbox.lookups import checked, look_up
from engine.outbox.plan import Stretch, plan_enrollments
from engine.outbox.plan_by_calendar import plan_by_calendar
from engine.rules.intake import takes_nobody
from engine.rules.planning import plan, uses_calendar
from engine.wakeups import Due
from schema.definition import Definition
from schema.states import RowStatus

#: The exit reasons of enrollments that an action has ended.
EXIT: Final = "exit"

#: Before the enrollment, as those do who end a contact's enrollments (engine/outbox/leave.py).
HOLD_CONTACT: Final = f"""
SELECT FROM enrollments e JOIN contacts c ON {look_up("c.id", "e.contact_id")}
WHERE e.id = %(enrollment)b FOR NO KEY UPDATE OF c
"""

SET: Final = "UPDATE contacts SET attributes = attributes || %(set)s WHERE id = %(contact)s"
TAG: Final = """
UPDATE contacts SET tags = array_append(tags, %(tag)b::text)
WHERE id = %(contact)b AND NOT tags @> ARRAY[%(tag)b::text]
"""
UNTAG: Final = """
UPDATE contacts SET tags = array_remove(tags, %(tag)b::text) WHERE id = %(contact)b
"""

LEAVE: Final = f"""
UPDATE enrollments SET status = 'cancelled', exit_reason = %(reason)b, cancelled_at = sequence_now(), paused_at = NULL
WHERE id = ANY(%(enrollments)b::bigint[]) AND {checked("status IN ('active', 'paused')")} RETURNING id
"""

IN_SEQUENCE: Final = f"""
SELECT e.id FROM enrollments e JOIN sequences s ON {look_up("s.id", "e.sequence_id")}
WHERE e.contact_id = %(contact)b AND s.workspace_id = %(workspace)b AND s.key = %(key)b
    AND {checked("e.status IN ('active', 'paused')")}
ORDER BY e.id + 0 FOR NO KEY UPDATE OF e
"""

TARGET: Final = f"""
SELECT s.id, s.status, s.closed_at IS NOT NULL, newest.id, newest.definition, {HOURS}
FROM sequences s JOIN workspaces w ON w.id = s.workspace_id CROSS JOIN LATERAL (
    SELECT id, definition FROM sequence_versions WHERE sequence_id = s.id ORDER BY number DESC LIMIT 1
) AS newest
WHERE s.workspace_id = %(workspace)b AND s.key = %(key)b
"""

#: The sequences whose actions have led here, one after the other.
CHAIN: Final = f"""
WITH RECURSIVE chain AS (
    SELECT id, sequence_id, caused_by FROM enrollments WHERE id = %(enrollment)b
    UNION ALL
    SELECT e.id, e.sequence_id, e.caused_by FROM chain JOIN enrollments e ON {look_up("e.id", "chain.caused_by")}
)
SELECT sequence_id FROM chain
"""
CAUSED: Final = "UPDATE enrollments SET caused_by = %(by)b WHERE id = ANY(%(enrollments)b::bigint[])"


def hold_contact(session: Session, enrollment_id: int) -> None:
    """Hold the contact of an enrollment until the end of the transaction."""
    session.execute(HOLD_CONTACT, {"enrollment": enrollment_id}, binary=True)


def set_attributes(session: Session, contact_id: int, attributes: dict[str, str]) -> None:
    """Set attributes of a contact."""
    session.execute(SET, {"contact": contact_id, "set": Jsonb(attributes)})


def tag(session: Session, contact_id: int, name: str, *, remove: bool = False) -> None:
    """Give a contact a tag, or take it away."""
    session.execute(UNTAG if remove else TAG, {"contact": contact_id, "tag": name}, binary=True)


def end_enrollments(session: Session, enrollments: list[int]) -> int:
    """End them early; tell how many had not ended yet."""
    rows = session.execute(LEAVE, {"enrollments": enrollments, "reason": EXIT}, binary=True).fetchall()
    ended = [row[0] for row in rows]
    if ended:
        session.execute(CANCEL, {"enrollments": ended, "reason": EXIT}, binary=True)
    return len(ended)


def exit_from(session: Session, held: Held, key: str) -> int:
    """End the contact's enrollments in a sequence; tell how many."""
    asked = {"contact": held.contact_id, "workspace": held.workspace_id, "key": key}
    rows = session.execute(IN_SEQUENCE, asked, binary=True).fetchall()
    return end_enrollments(session, [row[0] for row in rows]) if rows else 0


@dataclass(frozen=True, slots=True)
class EnrolledIn:
    """What an action that enrolls its contact in another sequence came to."""

    reason: str
    wakeups: list[Due] = field(default_factory=list)
    """To be scheduled after the COMMIT."""
    status: RowStatus = RowStatus.DONE
    """FAILED: the sequence does not exist, which only a person can put right."""


def enroll_in(session: Session, held: Held, key: str) -> EnrolledIn:
    """Enroll the contact in another sequence, and return what came of it.

    No sequence leads back to one that has led to it: that would never end.
    """
    found = session.execute(TARGET, {"workspace": held.workspace_id, "key": key}, binary=True).fetchone()
    if found is None:
        return EnrolledIn(f"not enrolled: there is no sequence {key}", status=RowStatus.FAILED)
    sequence_id, status, closed, version_id, canonical, *hours_read = found
    if (refusal := takes_nobody(status, closed=closed)) is not None:
        return EnrolledIn(f"not enrolled: {key} {refusal}")
    chain = session.execute(CHAIN, {"enrollment": held.id}, binary=True).fetchall()
    if sequence_id in {row[0] for row in chain}:
        return EnrolledIn(f"not enrolled: {key} has led here, and would lead here again")
    definition, hours = Definition.restore(canonical), hours_of(*hours_read)
    stretch = Stretch(
        held.workspace_id,
        sequence_id,
        version_id,
        definition.reentry_state,
        plan(definition),
        definition.again_after,
    )
    if uses_calendar(definition, hours):
        planned = plan_by_calendar(session, stretch, definition, hours, [held.contact_id])
    else:
        planned = plan_enrollments(session, stretch, [held.contact_id])
    if not planned.enrollments:
        return EnrolledIn(f"not enrolled: in {key} before")
    session.execute(CAUSED, {"by": held.id, "enrollments": list(planned.enrollments)}, binary=True)
    if definition.goal is not None and end_at_goal(session, planned.enrollments, begun=False):
        return EnrolledIn(f"enrolled in {key}, whose goal is reached", planned.wakeups)
    return EnrolledIn(f"enrolled in {key}", planned.wakeups)
