"""Who may be enrolled again, beyond what the statement that enrolls sees by itself (engine/outbox/plan.py)."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from engine.database import Session
from engine.outbox.lookups import checked
from schema.states import Reentry

#: Of two that enroll the same contact at once the second sees what has become of the first: it may have ended already,
#: and then no unique index holds it. The lock is the one that actions and events have on their contact
#: (engine/outbox/actions.py): a stronger one would wait for the foreign keys of those that wait for it.
HOLD: Final = """
SELECT FROM contacts WHERE workspace_id = %(workspace)b AND id = ANY(%(contacts)b::bigint[])
ORDER BY id + 0 FOR NO KEY UPDATE
"""

#: Enrollments of an earlier version that let nobody in again would bar the contact for ever: they are in the unique
#: index whether they have ended or not.
RELEASE: Final = f"""
UPDATE enrollments SET reentry = 'after_exit'
WHERE contact_id = ANY(%(contacts)b::bigint[]) AND sequence_id = %(sequence)b
    AND {checked("reentry = 'once' AND status IN ('completed', 'cancelled')")}
"""

#: Of an enrollment (`other`): it keeps the contact from being enrolled again, by the rule.
BARS: Final = checked("%(reentry)b = 'once' OR other.status IN ('active', 'paused')")

#: The same, where some time must have passed since it ended. `moment`: now, in sequence time.
BARS_FOR_A_TIME: Final = """coalesce(
                other.status IN ('active', 'paused')
                OR coalesce(other.completed_at, other.cancelled_at) > {moment} - %(again_after)b::interval,
                false
            )"""


def after_a_time(query: str, moment: str) -> str:
    """The statement for sequences that let a contact in again some time after the end."""
    return query.replace(BARS, BARS_FOR_A_TIME.format(moment=moment))


def make_way(
    session: Session,
    workspace_id: int,
    sequence_id: int,
    contacts: Sequence[int],
    rule: Reentry,
    again_after: timedelta | None,
) -> None:
    """Before contacts are enrolled again: wait for who enrolls them at this moment, and see how that ended."""
    if rule is not Reentry.AFTER_EXIT:
        return
    of = {"workspace": workspace_id, "sequence": sequence_id, "contacts": list(contacts)}
    if again_after is not None:
        session.execute(HOLD, of, binary=True)
    session.execute(RELEASE, of, binary=True)
