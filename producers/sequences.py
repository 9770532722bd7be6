"""Publishing sequences as immutable versions, and finding them."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from psycopg.types.json import Jsonb

from engine.database import Session
from engine.errors import InvalidInput, NotFound
from engine.outbox.hours import HOURS, hours_of
from engine.rules.calendar import Hours
from producers.unknown import unknown
from schema.definition import Definition, InvalidDefinition, parse
from schema.definition.library import Library
from schema.definition.steps import KEY_PATTERN
from schema.definition.yaml_nodes import MAX_BYTES
from schema.states import SequenceStatus

KEY: Final = re.compile(KEY_PATTERN.strip("^$"))

#: Makes the sequence or locks it, so that of two that publish at once the second sees the version of the first.
CLAIM: Final = """
INSERT INTO sequences (workspace_id, key, name, tags, status, created_by) VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (workspace_id, key) DO UPDATE SET name = excluded.name
RETURNING id, status
"""
NEWEST: Final = """
SELECT id, number, digest, definition -> 'tags' FROM sequence_versions
WHERE sequence_id = %s ORDER BY number DESC LIMIT 1
"""
#: Tags that somebody has given or taken by hand stay, until those in the file change.
SET_TAGS: Final = "UPDATE sequences SET tags = %s WHERE id = %s"
ADD: Final = """
INSERT INTO sequence_versions (workspace_id, sequence_id, number, definition, digest, created_by)
VALUES (%s, %s, %s, %s, %s, %s) RETURNING id
"""
FIND: Final = f"""
SELECT sequences.id, sequences.status, sequences.closed_at IS NOT NULL, newest.id, newest.number,
    newest.definition, {HOURS}
FROM sequences JOIN workspaces w ON w.id = sequences.workspace_id CROSS JOIN LATERAL (
    SELECT id, number, definition FROM sequence_versions
    WHERE sequence_id = sequences.id ORDER BY number DESC LIMIT 1
) AS newest
WHERE sequences.workspace_id = %s AND sequences.key = %s
"""  # noqa: S608 (composed of our own constants)


@dataclass(frozen=True, slots=True)
class Published:
    """What became of a definition."""

    sequence_id: int
    version_id: int
    number: int
    changed: bool
    """Whether it is a new version; False: it equals the newest one."""
    status: SequenceStatus = SequenceStatus.ACTIVE


@dataclass(frozen=True, slots=True)
class PublishedSequence:
    """A sequence and its newest version."""

    workspace_id: int
    sequence_id: int
    version_id: int
    number: int
    key: str
    status: SequenceStatus
    closed: bool
    """Whether it takes no new people."""
    definition: Definition
    hours: Hours
    """What the workspace says of its time."""


def publish(
    session: Session, workspace_id: int, definition: Definition, *, by: str | None = None, draft: bool = False
) -> Published:
    """Write a new version, unless the newest one is the same; any number of processes may do so at once.

    `by` applies it. `draft`: a new sequence takes nobody before it is activated. A draft stays one.

    Raises:
        InvalidInput: the sequence is archived, or `draft` is asked of one that people may be in.
    """
    digest = definition.digest()
    key, name, tags = definition.sequence, definition.name, list(definition.tags)
    first = SequenceStatus.DRAFT if draft else SequenceStatus.ACTIVE
    with session.transaction():
        sequence_id, status = _one(session, CLAIM, workspace_id, key, name, tags, first.value, by)
        require_not_archived(session, sequence_id)
        if draft and status != SequenceStatus.DRAFT:
            raise InvalidInput(
                f"sequence {key!r} is {status}, so a version of it can't be a draft: apply it without --draft,"
                " or under another key"
            )
        newest = session.execute(NEWEST, (sequence_id,)).fetchone()
        if newest is not None and newest[2] == digest:
            return Published(sequence_id, newest[0], newest[1], changed=False, status=SequenceStatus(status))
        if newest is not None and newest[3] != tags:
            session.execute(SET_TAGS, (tags, sequence_id))
        number = 1 if newest is None else newest[1] + 1
        (version_id,) = _one(session, ADD, workspace_id, sequence_id, number, Jsonb(definition.canonical()), digest, by)
    return Published(sequence_id, version_id, number, changed=True, status=SequenceStatus(status))


def find_sequence(session: Session, workspace_id: int, key: str) -> PublishedSequence:
    """Find a sequence by its key.

    Raises:
        NotFound: there is none; the message says which there are.
    """
    row = session.execute(FIND, (workspace_id, key)).fetchone() if KEY.fullmatch(key) else None
    if row is None:
        keys = sequence_keys(session, workspace_id)
        raise NotFound(unknown("sequence", key, keys, "publish one with `cadenza apply FILE`"))
    sequence_id, status, closed, version_id, number, definition, *hours = row
    return PublishedSequence(
        workspace_id,
        sequence_id,
        version_id,
        number,
        key,
        SequenceStatus(status),
        closed,
        Definition.restore(definition),
        hours_of(*hours),
    )


def sequence_keys(session: Session, workspace_id: int) -> list[str]:
    """Return the keys of all sequences of a workspace, in order."""
    keys = session.execute("SELECT key FROM sequences WHERE workspace_id = %s ORDER BY key", (workspace_id,))
    return [key for (key,) in keys]


def require_not_archived(session: Session, sequence_id: int) -> None:
    """Make sure that a sequence has not been archived meanwhile: nothing of it may begin, or go on, any more.

    Raises:
        InvalidInput: it has.
    """
    row = session.execute("SELECT key, status FROM sequences WHERE id = %s", (sequence_id,)).fetchone()
    if row is not None and row[1] == SequenceStatus.ARCHIVED:
        raise InvalidInput(archived(row[0], "nothing of it goes on"))


def archived(key: str, so: str) -> str:
    """Say that a sequence is archived, what follows from it, and how to bring it back."""
    return f"sequence {key!r} is archived: {so}; bring it back first with `cadenza unarchive {key}`"


def read_definition_file(path: Path) -> Definition:
    """Read a sequence file.

    Raises:
        InvalidInput: it can't be read or is invalid; the message has a line for each problem.
    """
    return definition_of(path, read_sequence_text(path))


def read_sequence_text(path: Path) -> str:
    """Read the text of a sequence file.

    Raises:
        InvalidInput: it can't be read, or is no text in UTF-8.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidInput(f"{path}: can't be read: {error.strerror or error}") from None
    if len(content) > MAX_BYTES:
        raise InvalidInput(f"{path}: is larger than {MAX_BYTES >> 20} MiB, too much for a sequence file")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InvalidInput(f"{path}: is UTF-16: save it as UTF-8")
    if b"\0" in content:
        raise InvalidInput(f"{path}: is a binary file, not YAML or JSON")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidInput(
            f"{path}:{line}: the byte 0x{content[error.start]:02X} is not UTF-8: save the file as UTF-8"
        ) from None


def definition_of(path: Path, text: str, library: Library | None = None) -> Definition:
    """Return the definition that a sequence file holds, with what its steps take from a library.

    Raises:
        InvalidInput: it is invalid; the message has a line for each problem.
    """
    try:
        return parse(text, library)
    except InvalidDefinition as error:
        raise InvalidInput(error.about(path)) from None


def _one(session: Session, query: str, *values: object) -> tuple[Any, ...]:
    row = session.execute(query, values).fetchone()
    assert row is not None  # noqa: S101 (an INSERT ... RETURNING that raises nothing has a row)
    return row
