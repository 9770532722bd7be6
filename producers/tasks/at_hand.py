"""A task that somebody says something of: found, and its enrollment held, in the transaction of the caller."""

from dataclasses import dataclass
from datetime import datetime

from engine.clock import sequence_now
from engine.database import Session
from engine.errors import InvalidInput, NotFound
from engine.outbox.advance import Held, Step, hold, program_of, steps_of
from engine.rules.program import Place, Program
from producers.unknown import unknown
from schema.definition import TaskStep
from schema.states import BLOCKING, TASK_TYPES, EnrollmentStatus, RowStatus


@dataclass(frozen=True, slots=True)
class AtHand:
    """A task of a step, with all that decides what may be done with it."""

    session: Session
    held: Held
    program: Program
    steps: dict[int, Step]
    place: Place
    task: TaskStep
    now: datetime
    """Sequence time."""

    @property
    def step(self) -> Step:
        """The outbox row."""
        return self.steps[self.place.order]

    @property
    def status(self) -> RowStatus:
        """How the outbox row stands."""
        return self.step.standing.status

    def unfinished_before(self) -> list[str]:
        """The keys of steps before it that have not ended."""
        return [
            place.key
            for place in self.program.places[: self.place.order - 1]
            if self.steps[place.order].standing.status in BLOCKING
        ]

    def require(self, *statuses: RowStatus, to: str) -> None:
        """Make sure that it can be done.

        Raises:
            InvalidInput: its enrollment has ended early, or the task is in another state.
        """
        if self.held.status is EnrollmentStatus.CANCELLED:
            raise InvalidInput(
                f"task {self.place.key!r} can't be {to}: its enrollment {self.held.id} has ended early"
                f" ({self.held.exit_reason})"
            )
        if self.status not in statuses:
            raise InvalidInput(
                f"task {self.place.key!r} of enrollment {self.held.id} can't be {to}: it is {self.status}"
            )


def take_in_hand(session: Session, workspace_id: int, enrollment_id: int, key: str) -> AtHand:
    """Hold the enrollment, and find the task in it.

    Raises:
        NotFound: the workspace has no such enrollment, or that no such step.
        InvalidInput: the step is no task, or is archived.
    """
    held = hold(session, enrollment_id)
    if held is None or held.workspace_id != workspace_id:
        raise NotFound(f"no enrollment {enrollment_id} in this workspace")
    program = program_of(session, held.version_id)
    place = program.by_key.get(key)
    if place is None:
        raise NotFound(unknown("step", key, list(program.by_key), "the sequence has no steps"))
    if not isinstance(place.step, TaskStep):
        raise InvalidInput(f"step {key!r} is of type {place.type}, no task: a task is {', '.join(TASK_TYPES)}")
    steps = steps_of(session, held.id)
    if place.order not in steps:
        raise InvalidInput(f"task {key!r} can't be changed: enrollment {held.id} has ended, and its steps are archived")
    return AtHand(session, held, program, steps, place, place.step, sequence_now(session))
