"""Goals: an enrollment whose goal is reached ends at that moment, whatever is queued."""

from collections.abc import Sequence
from math import inf
from typing import Final

from engine.database import Session
from engine.outbox.facts import read_all_facts
from engine.outbox.history import Change, note
from engine.outbox.leave import EXIT_RULE, end
from engine.outbox.lookups import checked, look_up
from engine.rules.judging import judge
from schema.definition import Question

#: The exit reason.
GOAL: Final = "goal"

#: The version of an enrollment (`e`) has a goal; there is an index of those that have.
HAS_GOAL: Final = """
    EXISTS (
        SELECT FROM sequence_versions v
        WHERE v.workspace_id = e.workspace_id AND v.id = e.version_id AND v.definition ? 'goal'
        OFFSET 0
    )
"""

ASKED: Final = f"""
SELECT e.id, e.workspace_id, e.status, v.id, v.definition -> 'goal'
FROM enrollments e JOIN sequence_versions v
    ON {look_up("v.workspace_id", "e.workspace_id")} AND {look_up("v.id", "e.version_id")}
WHERE e.id = ANY(%(enrollments)b::bigint[]) AND {checked("e.status IN ('active', 'paused')")} AND v.definition ? 'goal'
ORDER BY e.id + 0
"""

#: Whoever changes an attribute holds the contact: it is waited for, and waits for us. In the order of their ids.
KEEP: Final = """
SELECT FROM contacts WHERE id = ANY(%(contacts)b::bigint[]) ORDER BY id + 0 FOR SHARE
"""

#: Contacts first, then enrollments, as all do who end them (engine/outbox/leave.py).
HOLD_CONTACTS: Final = """
SELECT FROM contacts
WHERE id = ANY (ARRAY(SELECT contact_id FROM enrollments WHERE id = ANY(%(enrollments)b::bigint[])))
ORDER BY id + 0 FOR NO KEY UPDATE
"""
HOLD: Final = """
SELECT FROM enrollments WHERE id = ANY(%(enrollments)b::bigint[]) ORDER BY id + 0 FOR NO KEY UPDATE
"""


def keep_contacts(session: Session, contacts: Sequence[int]) -> None:
    """Let nobody change these contacts between the look at their goals and the COMMIT that enrolls them."""
    session.execute(KEEP, {"contacts": list(contacts)}, binary=True)


def reached(
    session: Session, enrollments: Sequence[int], *, begun: bool = True
) -> dict[int, tuple[int, str, Question]]:
    """Those whose goal is reached now: their workspace and status, and the goal. `begun`: see `read_all_facts`."""
    rows = session.execute(ASKED, {"enrollments": list(enrollments)}, binary=True).fetchall()
    if not rows:
        return {}
    facts = read_all_facts(session, [row[0] for row in rows], begun=begun)
    goals = {version: Question.model_validate(goal) for *_, version, goal in rows}
    return {
        one: (workspace_id, status, goals[version])
        for one, workspace_id, status, version, _ in rows
        if one in facts and judge(goals[version], facts[one], inf, last=True)
    }


def end_at_goal(session: Session, enrollments: Sequence[int], *, begun: bool = True) -> list[int]:
    """End those whose goal is reached, of enrollments that this transaction holds or has made; give them."""
    found = reached(session, enrollments, begun=begun) if enrollments else {}
    if not found:
        return []
    ended = list(found)
    end(session, ended, GOAL)
    for workspace_id in {workspace for workspace, *_ in found.values()}:
        changes = [
            Change(one, status, "cancelled", f"{GOAL}: {question}")
            for one, (workspace, status, question) in found.items()
            if workspace == workspace_id
        ]
        note(session, workspace_id, EXIT_RULE, changes)
    return ended


def hold_and_end(session: Session, enrollments: Sequence[int]) -> list[int]:
    """Hold enrollments and their contacts, and end those whose goal is reached; give them."""
    session.execute(HOLD_CONTACTS, {"enrollments": list(enrollments)}, binary=True)
    session.execute(HOLD, {"enrollments": list(enrollments)}, binary=True)
    return end_at_goal(session, enrollments)
