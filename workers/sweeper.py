"""The sweeper: sets going again whatever is due and not moving. In every worker, with one leader at a time."""

import time
from threading import Event
from typing import Final

import structlog

from engine.clock import SequenceClock
from engine.database import Database, Session
from engine.metrics import RECOVERED
from engine.outbox.sweep import Awaiting, awaiting, end_leases, wakeups_of
from engine.wakeups import Due, Wakeups
from schema.messages import ENROLLED_CHANNEL, ROWS_PER_MESSAGE
from workers.leader import leading

log = structlog.get_logger(__name__)

#: The advisory lock whose holder leads.
LEADER_LOCK: Final = 4_207_002

PAGE: Final = 5_000

#: With so many rows queued the workers have enough to do: the rest can wait for the next sweep.
ENOUGH_QUEUED: Final = 50_000

#: Real seconds between two tries to become the leader, and between two looks at notifications.
ELECTION: Final = 1.0
LISTEN: Final = 0.25


class Sweeper:
    """Leads when nobody else does; then sweeps, and schedules what callers enrolled in their own transactions."""

    def __init__(self, database: Database, wakeups: Wakeups, clock: SequenceClock, sweep_seconds: float) -> None:
        """Prepare."""
        self._database = database
        self._wakeups = wakeups
        self._clock = clock
        self._sweep_seconds = sweep_seconds

    def turn(self, stop: Event) -> float:
        """Try to become the leader, and lead until told to stop or until the connection is lost."""
        with self._database.connect() as session:
            if not leading(session, LEADER_LOCK):
                return min(ELECTION, self._sweep_seconds)
            log.info("leading the sweep", every_seconds=self._sweep_seconds)
            session.execute(f"LISTEN {ENROLLED_CHANNEL}")
            self._lead(session, stop)
        return 0

    def _lead(self, session: Session, stop: Event) -> None:
        next_sweep = time.monotonic()
        while not stop.is_set():
            if time.monotonic() >= next_sweep:
                self.sweep()
                next_sweep = time.monotonic() + self._sweep_seconds
            notifications = session.notifies(timeout=min(LISTEN, self._sweep_seconds), stop_after=1)
            enrolled = [int(notification.payload) for notification in notifications]
            if enrolled:
                self._schedule_enrolled(enrolled)

    def sweep(self) -> int:
        """Sweep once: end leases, wake what is due or soon will be. Tell how many rows were woken."""
        with self._database.transaction() as session:
            ended = end_leases(session)
        if ended.returned:
            RECOVERED.labels("lease").inc(len(ended.returned))
            self._wakeups.schedule(ended.returned)
        if ended.in_doubt:
            log.error("rows in doubt: their worker was lost after the hand-over had begun", rows=ended.in_doubt)
            RECOVERED.labels("in_doubt").inc(ended.in_doubt)
        return self._wake()

    def _wake(self) -> int:
        """Wake the rows that are due or will be before the sweep after next, page by page."""
        woken = 0
        last: Awaiting | None = None
        while self._wakeups.counts()["queued"] * ROWS_PER_MESSAGE < ENOUGH_QUEUED:
            with self._database.transaction() as session:
                rows = awaiting(session, after=last, horizon=2 * self._sweep_seconds, rate=self._clock.rate, limit=PAGE)
            self._wakeups.schedule([(row.due_at.timestamp(), [row.id]) for row in rows if row.retry_at is None])
            self._wakeups.retry([(row.retry_at.timestamp(), [row.id]) for row in rows if row.retry_at is not None])
            woken += len(rows)
            if len(rows) < PAGE:
                break
            last = rows[-1]
        return woken

    def _schedule_enrolled(self, enrollments: list[int]) -> None:
        with self._database.transaction() as session:
            due: list[Due] = wakeups_of(session, enrollments)
        self._wakeups.schedule(due)
