"""Sequences and how much they are used; their tags."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import TypeAdapter, ValidationError

from engine.database import Session
from engine.errors import InvalidInput, NotFound
from engine.outbox.counts import SequenceCounts, by_sequence
from engine.outbox.hold import held
from producers.sequences import find_sequence
from producers.unknown import unknown
from schema.definition import Definition
from schema.definition.definition import Tag
from schema.states import EnrollmentStatus

MOST_TAGS: Final = 50

#: Stands for the sequences that take no new people.
CLOSED: Final = "closed"

SEQUENCES: Final = """
SELECT s.id, s.key, s.name, s.tags, s.status, s.created_by, s.closed_at, s.closed_by, newest.number, newest.definition
FROM sequences s CROSS JOIN LATERAL (
    SELECT number, definition FROM sequence_versions WHERE sequence_id = s.id ORDER BY number DESC LIMIT 1
) AS newest
WHERE s.workspace_id = %(workspace)s AND s.tags @> %(tags)s::text[] ORDER BY s.key
"""

KNOWN_TAGS: Final = "SELECT DISTINCT unnest(tags) AS tag FROM sequences WHERE workspace_id = %s ORDER BY tag"

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
    held_since: datetime | None
    """Since when an operator has paused the sequence, or its whole workspace. Sequence time; None: it is not paused."""
    held_by: str | None
    description: str | None
    metadata: dict[str, str | int | float]
    created_by: str | None
    """Who applied its first version; None: it is not known."""
    closed_at: datetime | None
    """Since when it takes no new people. Sequence time; None: it takes them."""
    closed_by: str | None


def list_sequences(
    session: Session, workspace_id: int, tags: Collection[str] = (), status: str | None = None
) -> list[Used]:
    """Return the sequences that have all these tags, with their counts.

    `status` is that of those that are asked for, or `closed`: to new people.

    Raises:
        NotFound: no sequence has one of the tags.
    """
    _require_tags(session, workspace_id, tags)
    counted = by_sequence(session, workspace_id)
    holds = {one.sequence: one for one in held(session, workspace_id) if one.keep_times is None}
    found = []
    asked = {"workspace": workspace_id, "tags": list(tags)}
    for sequence_id, key, name, tags_of, is_now, by, closed_at, closed_by, version, canonical in session.execute(
        SEQUENCES, asked
    ).fetchall():
        if status is not None and status != is_now and (status != CLOSED or closed_at is None):
            continue
        definition = Definition.restore(canonical)
        counts = counted.get(sequence_id, SequenceCounts())
        hold = holds.get(key) or holds.get(None)
        found.append(
            Used(
                sequence=key,
                name=name,
                tags=tags_of,
                status=is_now,
                version=version,
                steps=sum(1 for _ in definition.walk()),
                **{state.value: counts.enrollments.get(state.value, 0) for state in EnrollmentStatus},
                messages_sent=counts.messages_sent,
                tasks_open=counts.tasks_open,
                last_enrolled_at=counts.last_enrolled_at,
                held_since=None if hold is None else hold.since,
                held_by=None if hold is None else hold.made_by,
                description=definition.description,
                metadata=definition.metadata,
                created_by=by,
                closed_at=closed_at,
                closed_by=closed_by,
            )
        )
    return found


def _require_tags(session: Session, workspace_id: int, tags: Collection[str]) -> None:
    known = [tag for (tag,) in session.execute(KNOWN_TAGS, (workspace_id,))] if tags else []
    for tag in tags:
        if tag not in known:
            raise NotFound(unknown("tag", tag, known, "give one with `cadenza sequence tag SEQUENCE +TAG`"))


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
