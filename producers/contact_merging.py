"""Make one contact of two. It is one transaction, and is in the history."""

import json
from dataclasses import dataclass, field, replace
from typing import Any, Final

from engine.clock import sequence_now
from engine.database import Session
from engine.errors import InvalidInput
from engine.outbox.decide import heed
from engine.outbox.leave_many import leave_many
from engine.outbox.suppressing import STRONGEST_OF_PERSON_STAYS
from engine.wakeups import Due
from producers.contact_rows import SET, hold, require_quiet, running_enrollments
from producers.contacts import COLUMNS
from producers.operator import Operator
from producers.workspaces import Workspace

#: The exit reason of enrollments that end because their contact is merged into another.
MERGED: Final = "merged"

#: Enrollments of the other contact in sequences in which the kept contact is too. They end and bar no later one.
TWICE: Final = """
SELECT other.id FROM enrollments other WHERE other.contact_id = %(other)s AND EXISTS (
    SELECT FROM enrollments kept WHERE kept.contact_id = %(keep)s AND kept.sequence_id = other.sequence_id
)
"""
SPARE: Final = """
UPDATE enrollments SET reentry = 'always',
    batch_id = CASE WHEN EXISTS (
        SELECT FROM enrollments kept WHERE kept.contact_id = %(keep)s AND kept.batch_id = enrollments.batch_id
    ) THEN NULL ELSE batch_id END
WHERE id = ANY(%(enrollments)s)
"""
MOVE: Final = (
    """
    UPDATE contacts SET tags = ARRAY(
        SELECT DISTINCT tag FROM contacts both_of_them, unnest(both_of_them.tags) AS tag
        WHERE both_of_them.id IN (%(keep)s, %(other)s) ORDER BY tag
    ) WHERE id = %(keep)s
    """,
    "UPDATE enrollments SET contact_id = %(keep)s WHERE contact_id = %(other)s",
    "UPDATE events SET contact_id = %(keep)s WHERE contact_id = %(other)s",
    "UPDATE contact_holds SET contact_id = %(keep)s WHERE contact_id = %(other)s",
    # the reason that is harder to take back stays
    f"""
    INSERT INTO contact_opt_outs (contact_id, channel, workspace_id, reason, created_at)
    SELECT %(keep)s, channel, workspace_id, reason, created_at FROM contact_opt_outs WHERE contact_id = %(other)s
    {STRONGEST_OF_PERSON_STAYS}
    """,  # noqa: S608 (composed of our own constants)
    "DELETE FROM contacts WHERE id = %(other)s",
)


@dataclass(frozen=True, slots=True)
class Merge:
    """What a merge moves and ends."""

    keep: int
    other: int
    enrollments: int
    ended: list[int]
    """Enrollments of the other contact that end, since the first is in the same sequence."""
    wakeups: list[Due] = field(default_factory=list)
    """To be scheduled after the COMMIT."""


def plan_merge(session: Session, keep: int, other: int) -> Merge:
    """Return what a merge would do; nothing is changed.

    Raises:
        InvalidInput: both are the same contact.
    """
    if keep == other:
        raise InvalidInput("both are the same contact")
    pair = {"keep": keep, "other": other}
    twice = [one for (one,) in session.execute(TWICE, pair)]
    running = set(running_enrollments(session, other))
    count = session.execute("SELECT count(*) FROM enrollments WHERE contact_id = %s", (other,)).fetchone()
    return Merge(keep, other, 0 if count is None else int(count[0]), [one for one in twice if one in running])


def merge(session: Session, workspace: Workspace, operator: Operator, keep: int, other: int) -> Merge:
    """Make one contact of two: what the first lacks it takes from the other, and opt-outs of both hold.

    Where both are in a sequence, the other's enrollment ends. Addresses that only the other had stay suppressed if they
    were. Waits and goals that the united events and attributes meet end.

    Raises:
        InvalidInput: both are the same contact, or a message to the other is on its way.
        NotFound: one of them is gone.
    """
    both = hold(session, [keep, other])  # before the plan: nobody is enrolled in between
    planned = plan_merge(session, keep, other)
    first, second = _in_order(both, keep)
    require_quiet(session, other)
    leave_many(session, workspace.id, planned.ended, MERGED, operator.name, operator.reason)
    pair = {"keep": keep, "other": other}
    twice = [one for (one,) in session.execute(TWICE, pair)]
    session.execute(SPARE, {**pair, "enrollments": twice})
    for statement in MOVE:
        session.execute(statement.encode(), pair)
    united = {name: first[name] if first[name] is not None else second[name] for name in (*COLUMNS, "email_key")}
    if first["email"] is None:
        united["email_key"] = second["email_key"]
    attributes = json.dumps({**second["attributes"], **first["attributes"]})
    session.execute(SET, {**united, "id": keep, "attributes": attributes})
    operator.note(session, workspace.id, "contacts merged", f"contact {other} into contact {keep}")
    return replace(planned, wakeups=heed(session, keep, sequence_now(session).timestamp()))


def _in_order(rows: list[dict[str, Any]], first: int) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: row["id"] != first)
