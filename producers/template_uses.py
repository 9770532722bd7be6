"""Where templates are used: in the newest versions of sequences that are not archived.

Versions hold copies of what they took, so that none needs its template to go on.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from engine.database import Session
from schema.definition import Definition, MessageStep, TaskStep

SEQUENCES: Final = """
SELECT s.key, newest.definition
FROM sequences s CROSS JOIN LATERAL (
    SELECT definition FROM sequence_versions WHERE sequence_id = s.id ORDER BY number DESC LIMIT 1
) AS newest
WHERE s.workspace_id = %s AND s.status <> 'archived' ORDER BY s.key
"""


@dataclass(frozen=True, slots=True)
class Use:
    """A step of a sequence's newest version that takes something from a template."""

    sequence: str
    step: str
    version: int
    """The template's, as the sequence has it."""

    def __str__(self) -> str:
        """Return it as an error names it."""
        return f"{self.step} of {self.sequence}"


def uses(session: Session, workspace_id: int) -> Mapping[str, list[Use]]:
    """Return the steps that use each template, by its key, in the order of the sequences."""
    found: dict[str, list[Use]] = defaultdict(list)
    for key, canonical in session.execute(SEQUENCES, (workspace_id,)):
        for step in Definition.restore(canonical).walk():
            if isinstance(step, MessageStep | TaskStep) and step.template is not None:
                found[step.template.key].append(Use(key, step.key, step.template.version))
    return found


def behind(used: list[Use], version: int) -> list[Use]:
    """Return the uses of older versions, one for each sequence."""
    return list({one.sequence: one for one in used if one.version < version}.values())
