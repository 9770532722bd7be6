"""Sequences and how much they are used; their tags."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import TypeAdapter, ValidationError

from engine.database import Session
from engine.errors import InvalidInput
from producers.sequences import find_sequence
from schema.definition import Definition
from schema.definition.definition import Tag
from schema.states import MESSAGE_TYPES, EnrollmentStatus

MOST_TAGS: Final = 50

SEQUENCES: Final = """
SELECT s.id, s.key, s.name, s.tags, s.status, newest.number, newest.definition
FROM sequences s CROSS JOIN LATERAL (
    SELECT number, definition FROM sequence_versions WHERE sequence_id = s.id ORDER BY number DESC LIMIT 1
) AS newest
WHERE s.workspace_id = %(workspace)s AND s.tags @> %(tags)s::text[] ORDER BY s.key
"""

#: A report: it counts every enrollment, and every step, of the sequences once.
ENROLLMENTS: Final = """
SELECT sequence_id, status, count(*), max(enrolled_at) FROM enrollments
WHERE workspace_id = %(workspace)s AND sequence_id = ANY(%(sequences)s) GROUP BY sequence_id, status
"""
STEPS: Final = f"""
SELECT e.sequence_id, count(*) FILTER (WHERE o.status = 'sent'), count(*) FILTER (WHERE o.status = 'open')
FROM outbox o JOIN enrollments e ON e.id = o.enrollment_id
WHERE o.workspace_id = %(workspace)s AND e.sequence_id = ANY(%(sequences)s)
    AND (o.status = 'sent' AND o.type IN ({", ".join(repr(kind) for kind in MESSAGE_TYPES)}) OR o.status = 'open')
GROUP BY e.sequence_id
"""  # noqa: S608 (composed of our own constants; values are always parameters)

#: Locks the sequence: of two who change its tags at once the second sees those of the first.
TAGS: Final = "SELECT tags FROM sequences WHERE id = %s FOR NO KEY UPDATE"
SET_TAGS: Final = "UPDATE sequences SET tags = %s WHERE id = %s"


@dataclass(frozen=True, slots=True)
class Used:
    """A sequence and how much it is used."""

    sequence: str
    name: str
    tags: list[str]
    status: str
    version: int
    steps: int
    active: int
    paused: int
    completed: int
    cancelled: int
    messages_sent: int
    tasks_open: int
    last_enrolled_at: datetime | None
    """Sequence time."""


def list_sequences(session: Session, workspace_id: int, tags: Collection[str] = ()) -> list[Used]:
    """The sequences that have all these tags, with their counts."""
    rows = session.execute(SEQUENCES, {"workspace": workspace_id, "tags": list(tags)}).fetchall()
    of = {"workspace": workspace_id, "sequences": [row[0] for row in rows]}
    counts: dict[tuple[int, str], int] = {}
    last: dict[int, datetime] = {}
    for sequence_id, status, count, enrolled_at in session.execute(ENROLLMENTS, of):
        counts[sequence_id, status] = count
        last[sequence_id] = max(enrolled_at, last.get(sequence_id, enrolled_at))
    steps = {sequence_id: (sent, tasks) for sequence_id, sent, tasks in session.execute(STEPS.encode(), of)}
    found = []
    for sequence_id, key, name, tags_of, status, version, definition in rows:
        running = {state.value: counts.get((sequence_id, state.value), 0) for state in EnrollmentStatus}
        sent, tasks = steps.get(sequence_id, (0, 0))
        found.append(
            Used(
                sequence=key,
                name=name,
                tags=tags_of,
                status=status,
                version=version,
                steps=sum(1 for _ in Definition.restore(definition).walk()),
                **running,
                messages_sent=sent,
                tasks_open=tasks,
                last_enrolled_at=last.get(sequence_id),
            )
        )
    return found


def change_tags(
    session: Session, workspace_id: int, key: str, add: Collection[str], remove: Collection[str]
) -> list[str]:
    """Give a sequence tags, and take some away; give those that it has then. Its versions stay as they are.

    Raises:
        InvalidInput: one can't be used, or there would be too many.
        NotFound: there is no such sequence.
    """
    for tag in add:
        try:
            TypeAdapter(Tag).validate_python(tag)
        except ValidationError:
            raise InvalidInput(f"{tag!r} can't be a tag: 1 to 63 characters without commas") from None
    sequence_id = find_sequence(session, workspace_id, key).sequence_id
    ((tags,),) = session.execute(TAGS, (sequence_id,)).fetchall()
    kept = [tag for tag in dict.fromkeys([*tags, *add]) if tag not in remove]
    if len(kept) > MOST_TAGS:
        raise InvalidInput(f"sequence {key!r} would have {len(kept)} tags: at most {MOST_TAGS}")
    session.execute(SET_TAGS, (kept, sequence_id))
    return kept
