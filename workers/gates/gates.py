"""Settles the gates of a worker process, one by one in a thread of its own: messages do not wait for them."""

from collections.abc import Mapping, Sequence
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Final

import structlog

from engine.clock import SequenceClock, from_epoch
from engine.database import GONE, Database, Session, first_line
from engine.outbox.actions import hold_contact
from engine.outbox.advance import end_gate, hold, steps_of
from engine.outbox.claim import Claimed
from engine.outbox.following import LATE
from engine.outbox.gates import postpone
from engine.outbox.goals import end_at_goal
from engine.outbox.history import ENGINE
from engine.outbox.hold import is_held
from engine.outbox.replan import Late, replan_behind
from engine.wakeups import Due, Wakeups, WakeupsUnavailable
from schema.definition import ActionStep
from schema.states import EnrollmentStatus, RowStatus
from workers.delivery.known import Known, Version
from workers.gates.facing import Facing, Handler
from workers.outward.outward import Outward

log = structlog.get_logger(__name__)

#: Real seconds before a gate that could not be settled is tried again.
AGAIN_SECONDS: Final = 60.0

#: Real seconds for which what is being told is waited for to be settled while the database is gone.
STOP_SECONDS: Final = 10.0

#: So many wait at most: messages are not to wait for room that gates take.
MOST: Final = 5_000


class Gates:
    """Takes claimed rows, and settles them in the order in which they came."""

    def __init__(
        self,
        database: Database,
        wakeups: Wakeups,
        clock: SequenceClock,
        known: Known,
        handlers: Mapping[str, Handler],
        outward: Outward | None = None,
    ) -> None:
        """Start the thread; there is a handler for each type of step that is not a message.

        What actions tell the world outside is passed on to `outward`; without it nobody is told anything.
        """
        self._database = database
        self._wakeups = wakeups
        self._clock = clock
        self._known = known
        self._handlers = handlers
        self._outward = outward
        self._rows: SimpleQueue[Claimed | None] = SimpleQueue()
        self._queued: set[int] = set()
        self._lock = Lock()
        self._stopping = False
        self._thread = Thread(target=self._run, name="gates", daemon=True)
        self._thread.start()

    def put(self, rows: Sequence[Claimed]) -> None:
        """Settle these soon; those that there is no room for are brought again by the sweeper."""
        with self._lock:
            for row in rows:
                if row.id not in self._queued and len(self._queued) < MOST:
                    self._queued.add(row.id)
                    self._rows.put(row)

    def stop(self) -> None:
        """Leave those that are not begun as they are, `pending`, for another worker."""
        self._stopping = True
        if self._outward is not None:
            self._outward.stop(STOP_SECONDS)

    def close(self, seconds: float) -> None:
        """End the thread, when nobody brings rows any more; wait for it at most so many real seconds."""
        self._rows.put(None)
        self._thread.join(seconds)
        if self._outward is not None:
            self._outward.close(seconds)

    def _run(self) -> None:
        while (row := self._rows.get()) is not None:
            try:
                if not self._stopping:
                    self.settle(row)
            except GONE as error:
                log.warning("not settled: the sweeper will look after the gate", row=row.id, error=first_line(error))
            except Exception:
                log.exception("a gate could not be settled", row=row.id, enrollment=row.enrollment_id)
                self._postpone(row)
            finally:
                with self._lock:
                    self._queued.discard(row.id)

    def settle(self, row: Claimed) -> None:
        """Settle a gate, if it still is to be, and wake what follows."""
        version = self._known.version(row.version_id)
        step = version.steps[row.step_key]
        if isinstance(step, ActionStep) and step.outward is not None:
            if self._outward is not None:
                self._outward.put(row, step)
            return
        with self._database.transaction() as session:
            due = self._settled(session, row, version)
        try:
            self._wakeups.schedule(due)
        except WakeupsUnavailable as error:
            log.warning("wake-ups not scheduled: the sweeper will make up for them", error=str(error))

    def _settled(self, session: Session, row: Claimed, version: Version) -> list[Due]:
        if row.channel == "action":
            hold_contact(session, row.enrollment_id)
        held = hold(session, row.enrollment_id)
        if held is None or held.status is not EnrollmentStatus.ACTIVE:
            return []
        if is_held(session, held.id):
            return []
        steps = steps_of(session, held.id)
        step = steps.get(row.step_order)
        if step is None or step.id != row.id or held.version_id != row.version_id:
            return []  # it has gone on in another version meanwhile, and was woken anew
        if step.fence != row.fence - 1 or step.standing.status is not RowStatus.PENDING:
            return []
        facing = Facing(session, row, version, held, steps, self._clock.now(), self._reached)
        decision = self._handlers[row.channel](facing)
        if decision.end is None:
            return decision.wakeups
        ended_at = self._reached(row.due_at) if decision.ended_at is None else decision.ended_at
        if ended_at > row.due_at and not facing.place.step.gate:
            replan_behind(session, [Late(held.id, row.step_order, from_epoch(row.due_at), from_epoch(ended_at))])
            steps = steps_of(session, held.id)
        following = end_gate(session, held, version.program, steps, decision.end, ended_at, noted_by=ENGINE) or []
        if version.program.has_goal and end_at_goal(session, [held.id]):
            following = []
        return [*decision.wakeups, *following]

    def _reached(self, moment: float) -> float:
        return self._clock.now() if self._clock.lateness(moment) > LATE else moment

    def _postpone(self, row: Claimed) -> None:
        try:
            with self._database.transaction() as session:
                postpone(session, row.id, row.fence - 1, AGAIN_SECONDS)
        except GONE as error:
            log.warning("a gate is tried again with the next sweep", row=row.id, error=first_line(error))
