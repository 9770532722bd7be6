"""Explain an enrollment: every step, what was decided and why, and what comes next if nothing changes."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from engine.clock import SequenceClock
from engine.database import Database, Session
from engine.errors import NotFound
from engine.outbox import explain
from engine.outbox.cold_months import state_of, tables_of
from engine.outbox.engagement import Engagement, engagement_of
from engine.outbox.explain import About, Step
from engine.outbox.history import story
from engine.outbox.tasks import Told, tasks_of
from engine.outbox.timing import timing_of
from engine.rules.answers import words_of
from engine.rules.naming import Named, enrollment_name
from engine.rules.program import Program
from engine.rules.prospects import Pause, Standing, what_is_next
from producers.tasks.by_hand import PREFIX
from producers.workspaces import find_workspace
from schema.definition import Definition
from schema.states import BLOCKING, EnrollmentStatus, RowStatus

#: Seconds: closer than that two moments are the same.
EXACT: Final = 0.001


@dataclass(frozen=True, slots=True)
class Explained:
    """An enrollment, explained. Times are sequence time, but for attempts and the history, which are in real time."""

    enrollment: int
    name: str
    sequence: str
    sequence_name: str
    version: int
    contact: dict[str, Any]
    status: str
    exit_reason: str | None
    enrolled_at: datetime
    ended_at: datetime | None
    timezone: str
    modified: bool
    """Whether somebody has changed its own steps."""
    archived: dict[str, Any] | None
    """Where its steps were archived: the month, its state, and the table; None: they were not."""
    paused: list[dict[str, Any]]
    counts: dict[str, int]
    """Steps, those that have ended, messages that were sent, and those that people opened and clicked."""
    steps: list[dict[str, Any]]
    by_hand: list[dict[str, Any]]
    """Tasks that were added by hand."""
    heard: list[dict[str, Any]]
    """What came in of the contact while it ran: replies with their text, opens, clicks, events. Sequence time."""
    history: list[dict[str, Any]]
    next: dict[str, Any]


def explain_enrollment(database: Database, workspace: str, enrollment_id: int, *, content: bool = False) -> Explained:
    """Explain an enrollment; `content`: with what each attempt handed over.

    Raises:
        NotFound: the workspace has none of that id.
    """
    clock = SequenceClock(database)
    with database.transaction(snapshot=True) as session:
        workspace_id = find_workspace(session, workspace).id
        about = explain.about(session, workspace_id, enrollment_id) if 0 < enrollment_id < 2**63 else None
        if about is None:
            raise NotFound(f"no enrollment {enrollment_id} in this workspace")
        month = about.archived_month
        archived = None if month is None else _archived(session, month)
        steps = explain.steps(session, enrollment_id, month, content=content)
        engaged = engagement_of(session, enrollment_id, month)
        pauses = _pauses(session, about)
        told = story(session, enrollment_id, month)
        heard = explain.heard(session, enrollment_id)
        tasks = tasks_of(session, enrollment_id)
        definition = Definition.restore(about.definition)
        why = _reasons(session, definition, about.id, steps)
    zone = ZoneInfo(about.timezone)
    names = {step.key: step.name for step in definition.walk()}
    following = next((step for step in steps if step.status in BLOCKING), None)
    return Explained(
        enrollment=about.id,
        name=_name_of(about),
        sequence=about.sequence,
        sequence_name=about.sequence_name,
        version=about.version,
        contact={
            "id": about.contact_id,
            "external_id": about.external_id,
            "email": about.email,
            "phone": about.phone,
            "first_name": about.first_name,
            "last_name": about.last_name,
        },
        status=about.status,
        exit_reason=about.exit_reason,
        enrolled_at=about.enrolled_at,
        ended_at=about.completed_at or about.cancelled_at,
        timezone=about.timezone,
        modified=about.modified_at is not None,
        archived=archived,
        paused=[asdict(pause) for pause in pauses],
        counts=_counts(steps, engaged),
        steps=[
            _step(step, zone, about.own_delays or {}, why.get(step.id, ()))
            | {
                "name": names.get(step.step_key),
                "task": _task(step, tasks),
                "engagement": asdict(engaged[step.id]) if step.id in engaged else None,
            }
            for step in steps
        ],
        by_hand=[_by_hand(task) for task in tasks if task.outbox_id is None],
        heard=heard,
        history=[one._asdict() for one in told],
        next={
            "step": None if following is None else following.step_key,
            "due_at": None if following is None else following.due_at,
            "says": what_is_next(_standing(about, definition, following, pauses, clock)),
        },
    )


def _archived(session: Session, month: date) -> dict[str, Any]:
    return {"month": f"{month:%Y-%m}", "state": state_of(session, month).value, "table": tables_of(month)[0]}


def _name_of(about: About) -> str:
    return enrollment_name(
        Named(
            sequence_name=about.sequence_name,
            contact_id=about.contact_id,
            company=about.company,
            first_name=about.first_name,
            last_name=about.last_name,
            external_id=about.external_id,
            email=about.email,
            phone=about.phone,
            enrolled_at=about.enrolled_at,
            timezone=about.timezone,
        )
    )


def _pauses(session: Session, about: About) -> tuple[Pause, ...]:
    own = []
    if about.status == EnrollmentStatus.PAUSED and about.paused_at is not None:
        own = [Pause("enrollment", about.paused_at, explain.paused_by(session, about.id))]
    held = [
        Pause("sequence" if of == "sequence" else "workspace", since, by)
        for of, since, by in explain.holds_of(session, about.id)
    ]
    return (*own, *held)


def _reasons(
    session: Session, definition: Definition, enrollment_id: int, steps: Sequence[Step]
) -> dict[int, tuple[str, ...]]:
    """Why steps that are still to come are due when they are, by row; nothing is said of those that were moved."""
    program = Program.of(definition)
    timing = timing_of(session, enrollment_id, program, told=True)
    why: dict[int, tuple[str, ...]] = {}
    for step in steps:
        place = program.by_key.get(step.step_key)
        if place is None or step.due_at is None or step.status != RowStatus.PENDING:
            continue
        for moment in step.counts_from:
            timed = timing(place, moment.timestamp())
            if timed.due_at is not None and abs(timed.due_at - step.due_at.timestamp()) < EXACT:
                why.setdefault(step.id, timed.reasons)
    return why


def _by_hand(task: Told) -> dict[str, Any]:
    document = asdict(task)
    del document["outbox_id"]
    return {"step": f"{PREFIX}{document.pop('id')}", **document}


def _task(step: Step, tasks: Sequence[Told]) -> dict[str, Any] | None:
    """Return who has the task of a step, who ended it and what they said; None: nobody had to do with it."""
    task = next((one for one in tasks if one.outbox_id == step.id), None)
    if task is None:
        return None
    told = ("name", "description", "priority", "assignee", "ended_at", "ended_by", "note")
    return {name: getattr(task, name) for name in told}


def _counts(steps: Sequence[Step], engaged: Mapping[int, Engagement]) -> dict[str, int]:
    return {
        "steps": len(steps),
        "ended": sum(step.status not in BLOCKING for step in steps),
        "sent": sum(step.status == RowStatus.SENT for step in steps),
        "opened": sum(one.opened > 0 for one in engaged.values()),
        "clicked": sum(one.clicked > 0 for one in engaged.values()),
    }


def _step(step: Step, zone: ZoneInfo, own_delays: Mapping[str, str], why: tuple[str, ...]) -> dict[str, Any]:
    document = asdict(step)
    del document["counts_from"]
    document["row"] = document.pop("id")
    document["step"] = document.pop("step_key")
    document["order"] = document.pop("step_order")
    document["due_because"] = list(why)
    document["error_says"] = words_of(step.error_code)
    document["own_delay"] = own_delays.get(step.step_key)
    document["local_due_at"] = None if step.due_at is None else step.due_at.astimezone(zone)
    return document


def _standing(
    about: About, definition: Definition, step: Step | None, pauses: tuple[Pause, ...], clock: SequenceClock
) -> Standing:
    late, retry_in, max_lateness = 0.0, None, 0.0
    if step is not None:
        if step.retry_at is not None:
            retry_in = (step.retry_at - about.real_now).total_seconds()
        if step.due_at is not None:
            late = clock.lateness(step.due_at.timestamp())
        for defined in definition.walk():
            if defined.key == step.step_key:
                max_lateness = defined.max_lateness.total_seconds()
    return Standing(
        status=about.status,
        exit_reason=about.exit_reason,
        pauses=pauses,
        step_key=None if step is None else step.step_key,
        step_status=None if step is None else step.status,
        channel=None if step is None else step.type,
        due_at=None if step is None else step.due_at,
        now=about.now,
        retry_in=retry_in,
        late=late,
        max_lateness=max_lateness,
        suppressed=None if step is None else step.suppressed,
        on_hold=step is not None and step.on_hold,
        has_address=step is None or (about.phone if step.type == "sms" else about.email) is not None,
        channel_pauses=None if step is None else step.channel_pauses,
        is_open=about.is_open,
    )
