"""Enroll people in a sequence: contacts, enrollments and outbox rows, in the caller's one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.database import Session
from engine.errors import InvalidInput
from engine.outbox.decide import heed_awaited
from engine.outbox.goals import end_at_goal, keep_contacts
from engine.outbox.plan import Stretch, plan_enrollments
from engine.outbox.plan_by_calendar import plan_by_calendar
from engine.rules.planning import plan, uses_calendar
from engine.wakeups import Due
from producers.contacts import find_or_make_contacts
from producers.intake import refusal, require_open
from producers.people import Person
from producers.sequences import PublishedSequence


@dataclass(frozen=True, slots=True)
class EnrolledChunk:
    """What became of a chunk of people."""

    enrolled: int
    repeats: int
    """People whose contact was in the sequence already, or twice in the chunk."""
    conflicts: list[tuple[int, str]]
    """People whose keys belong to different contacts: the index into the people, and why."""
    wakeups: list[Due]
    """To be scheduled after the COMMIT, in sequence time."""
    contacts: list[int | str]
    """For each of the people: the contact, or why there is none."""
    enrollments: Sequence[int]
    """The new enrollments."""
    changes: dict[int, dict[str, tuple[Any, Any]]]
    """What changed of contacts that were there before, if it was asked for: by contact and field, before and after."""


def enroll_people(
    session: Session,
    sequence: PublishedSequence,
    people: Sequence[Person],
    *,
    batch_id: int | None = None,
    data: str = "{}",
    done_anew: bool = False,
    with_changes: bool = False,
) -> EnrolledChunk:
    """Enroll each person once.

    `with_changes`: return what changes of known contacts. `done_anew`: the caller repeats the transaction after a
    collision.

    Raises:
        InvalidInput: the sequence takes no enrollments.
        psycopg.errors.UniqueViolation: with `done_anew`, somebody else enrolls one of them at this moment.
    """
    require_active(sequence)
    found = find_or_make_contacts(session, sequence.workspace_id, people, with_changes=with_changes)
    contacts = found.of_people
    accepted = [contact for contact in contacts if isinstance(contact, int)]
    definition = sequence.definition
    stretch = Stretch(
        sequence.workspace_id,
        sequence.sequence_id,
        sequence.version_id,
        definition.reentry_state,
        plan(definition),
        definition.again_after,
    )
    # In the order of their ids: of two chunks with the same people, one waits for the other, never each for each.
    ids = sorted(set(accepted))
    if definition.goal is not None:
        keep_contacts(session, ids)
    if uses_calendar(definition, sequence.hours):
        planned = plan_by_calendar(session, stretch, definition, sequence.hours, ids, data=data, batch_id=batch_id)
    else:
        planned = plan_enrollments(session, stretch, ids, data=data, batch_id=batch_id, done_anew=done_anew)
    if len(planned.enrollments) < len(accepted):
        require_open(session, sequence.sequence_id)
    if definition.goal is not None:
        end_at_goal(session, planned.enrollments, begun=False)
    due = heed_awaited(session, sorted(found.known), planned.enrollments)
    return EnrolledChunk(
        enrolled=len(planned.enrollments),
        repeats=len(accepted) - len(planned.enrollments),
        conflicts=[(index, contact) for index, contact in enumerate(contacts) if isinstance(contact, str)],
        wakeups=[*planned.wakeups, *due],
        contacts=contacts,
        enrollments=planned.enrollments,
        changes=found.changes,
    )


def require_active(sequence: PublishedSequence) -> None:
    """Make sure that the sequence takes enrollments.

    Raises:
        InvalidInput: it is a draft, paused, archived or closed to new people.
    """
    if (why := refusal(sequence.key, sequence.status, closed=sequence.closed)) is not None:
        raise InvalidInput(why)
