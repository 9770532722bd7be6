"""Move the running enrollments of a sequence to another of its versions, and tell before where they would land."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from engine.clock import SequenceClock
from engine.database import Database, Session
from engine.errors import InvalidInput
from engine.outbox.aside import SOON, set_aside
from engine.outbox.barrier import wait_for_claims
from engine.outbox.migrate import PASSING, Moved, migrate, preview
from engine.outbox.older import Target, Version, find, next_ones
from engine.rules.landing import Landing, LeftAlone
from engine.rules.program import Program
from engine.wakeups import Wakeups
from producers.operator import Operator
from producers.sequences import find_sequence
from producers.waking import wake
from producers.workspaces import find_workspace
from schema.definition import Definition

#: Enrollments that are moved in one transaction.
CHUNK: Final = 100

#: How often those are tried that somebody else was at.
PASSES: Final = 5

VERSIONS: Final = "SELECT id, number, definition FROM sequence_versions WHERE sequence_id = %s ORDER BY number"


class Group(NamedTuple):
    """People who stand at the same step of the same version, and land at the same."""

    version: int
    at: str
    to: str | None
    """None: nothing would be left to do, or they are left alone."""
    left_alone: str | None
    """Why they would not be moved."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be moved."""

    target: Target
    people: Counter[Group]

    @property
    def moving(self) -> int:
        """How many would be moved."""
        return sum(count for group, count in self.people.items() if group.left_alone is None)


@dataclass(slots=True)
class Migrated:
    """What was moved."""

    moved: int = 0
    left_alone: Counter[str] = field(default_factory=Counter)
    """How many were not, by the reason."""
    woken: bool = True


def plan_migration(
    database: Database, workspace: str, sequence: str, from_number: int | None = None, to_number: int | None = None
) -> Plan:
    """Tell how many people stand at which step of which version, and where they would land; nothing is changed.

    Raises:
        InvalidInput: there is no such version, or it is not newer.
        NotFound: there is no such sequence.
    """
    soon = SOON * SequenceClock(database).rate
    people: Counter[Group] = Counter()
    with database.transaction(snapshot=True) as session:
        target = _target(session, workspace, sequence, from_number, to_number, soon)
        for chunk in _chunks(session, target):
            for found in find(session, target, chunk):
                match preview(found, target):
                    case LeftAlone(at, reason):
                        people[Group(found.version.number, at, None, reason)] += 1
                    case Landing(at, to):
                        people[Group(found.version.number, at, to, None)] += 1
    return Plan(target, people)


def run_migration(
    database: Database,
    wakeups: Wakeups,
    operator: Operator,
    target: Target,
    tell: Callable[[int], None] = lambda _: None,
) -> Migrated:
    """Move them, chunk by chunk; one that was stopped goes on when it is run again. `tell` hears of each that is done.

    Raises:
        Unavailable: the database can't be reached, or a claim does not end.
    """
    done = Migrated()
    aside: dict[int, datetime | None] = {}
    for _ in range(PASSES):
        after, again = 0, 0
        done.left_alone.clear()
        while True:
            with database.transaction() as session:
                chunk = next_ones(session, target, after, CHUNK)
            if not chunk:
                break
            after = chunk[-1]
            moved = _move(database, operator, target, chunk, aside)
            done.woken = wake(wakeups, moved.wakeups) and done.woken
            for landing in moved.landings.values():
                if isinstance(landing, LeftAlone):
                    done.left_alone[landing.reason] += 1
                    again += landing.reason in PASSING
                else:
                    done.moved += 1
            tell(done.moved)
        if not again:
            break
        wait_for_claims(database)
    return done


def _move(
    database: Database, operator: Operator, target: Target, chunk: list[int], aside: dict[int, datetime | None]
) -> Moved:
    """Move a chunk; `aside` has what was set aside, in this pass and those before."""
    with database.transaction() as session:
        near = set_aside(session, chunk, target.soon)
    if near:
        wait_for_claims(database)
    for row_id, retry_at in near.items():
        aside.setdefault(row_id, retry_at)
    with database.transaction() as session:
        return migrate(session, target, chunk, aside, operator.name, operator.reason)


def _chunks(session: Session, target: Target) -> Iterator[list[int]]:
    after = 0
    while chunk := next_ones(session, target, after, CHUNK):
        yield chunk
        after = chunk[-1]


def _target(
    session: Session, workspace: str, sequence: str, from_number: int | None, to_number: int | None, soon: float
) -> Target:
    workspace_id = find_workspace(session, workspace).id
    found = find_sequence(session, workspace_id, sequence)
    versions = {
        number: Version(version_id, number, Program.of(Definition.restore(definition)))
        for version_id, number, definition in session.execute(VERSIONS, (found.sequence_id,))
    }
    to = found.number if to_number is None else to_number
    for number in filter(None, (from_number, to)):
        if number not in versions:
            raise InvalidInput(f"sequence {sequence!r} has no version {number}: it has 1 to {found.number}")
    if from_number is not None and from_number >= to:
        raise InvalidInput(f"version {to} of {sequence!r} is not newer than version {from_number}")
    old = {
        version.id: version
        for number, version in versions.items()
        if (number < to if from_number is None else number == from_number)
    }
    return Target(workspace_id, found.sequence_id, old, versions[to], soon)
