"""Which channels the published sequences send on, and who their email is from."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Final

from engine.database import Session
from schema.definition import Definition, EmailStep

#: The newest version of each sequence that is not archived, and the older ones that enrollments still run in.
IN_USE: Final = """
SELECT w.key, s.key, v.definition
FROM sequences s
JOIN workspaces w ON w.id = s.workspace_id
JOIN sequence_versions v ON v.sequence_id = s.id
WHERE s.status <> 'archived' AND (
    v.number = (SELECT max(newest.number) FROM sequence_versions newest WHERE newest.sequence_id = s.id)
    OR EXISTS (SELECT FROM enrollments e WHERE e.version_id = v.id AND e.status IN ('active', 'paused'))
)
ORDER BY w.key, s.key, v.number
"""

OF_WORKSPACES: Final = "SELECT DISTINCT email_from FROM workspaces WHERE email_from IS NOT NULL ORDER BY email_from"


def channels_in_use(session: Session) -> Mapping[str, Collection[str]]:
    """Return the sequences that send on each channel, as `workspace/sequence`, in order."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for workspace, sequence, definition in session.execute(IN_USE):
        for channel in Definition.restore(definition).channels:
            found[channel][f"{workspace}/{sequence}"] = None
    return found


def senders_in_use(session: Session) -> list[str]:
    """Return who email is from, where workspaces, sequences and steps say so; each once."""
    found = {sender: None for (sender,) in session.execute(OF_WORKSPACES)}
    for _, _, canonical in session.execute(IN_USE):
        definition = Definition.restore(canonical)
        of_steps = [step.sender for step in definition.walk() if isinstance(step, EmailStep)]
        found.update((sender, None) for sender in (definition.sender, *of_steps) if sender is not None)
    return list(found)
