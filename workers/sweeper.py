"""The sweeper: sets going again whatever is due and not moving. In every worker, with one leader at a time."""

import time
from threading import Event
from typing import Final

import structlog

from engine.clock import WRONG_CLOCK, SequenceClock
from engine.database import Database, Session
from engine.metrics import RECOVERED
from engine.outbox.counters import fold
from engine.outbox.dispatch import read_pulse
from engine.outbox.history import make_months
from engine.outbox.hold import going_workspaces
from engine.outbox.pause import end_pauses
from engine.outbox.sweep import Awaiting, awaiting, end_leases, wakeups_of
from engine.wakeups import Due, Wakeups
from schema.messages import ENROLLED_CHANNEL, ROWS_PER_MESSAGE
from workers.heartbeat import Heartbeat
from workers.leader import end_silent_leader, leading, show_host

log = structlog.get_logger(__name__)

#: The advisory lock whose holder leads.
LEADER_LOCK: Final = 4_207_002

#: Real seconds between two heartbeats, at most: a backup that is younger than that is not noticed.
BEAT: Final = 1.0

#: Real seconds without a heartbeat after which another process takes over, at least.
HANGS_SECONDS: Final = 30.0

PAGE: Final = 1_000

#: With so many rows queued the workers have enough to do: the rest can wait for the next sweep.
ENOUGH_QUEUED: Final = 50_000

#: Real seconds between two looks whether the history's coming months are there: the first when it becomes the leader.
MONTHS_SECONDS: Final = 3_600.0

#: Real seconds between two folds of the counters: what there is to fold is read with every `status` and every scrape.
FOLD_SECONDS: Final = 5.0

#: Real seconds between two tries to become the leader, and between two looks at notifications.
ELECTION: Final = 1.0
LISTEN: Final = 0.25


class Sweeper:
    """Leads when nobody else does; then sweeps, and schedules what callers enrolled in their own transactions."""

    def __init__(
        self, database: Database, wakeups: Wakeups, clock: SequenceClock, sweep_seconds: float, host: str = ""
    ) -> None:
        """Prepare. `host` names the supervisor whose process this is (workers/gauges.py)."""
        self._database = database
        self._wakeups = wakeups
        self._clock = clock
        self._sweep_seconds = sweep_seconds
        self._host = host
        self._heartbeat = Heartbeat(database, wakeups, sweep_seconds)
        self._next_beat = float("-inf")
        self._next_months = float("-inf")
        self._next_fold = float("-inf")

    def turn(self, stop: Event) -> float:
        """Try to become the leader, and lead until told to stop or until the connection is lost.

        While the clocks differ nobody here leads: leases would end too soon, and beats would keep dispatch open.
        """
        if self._clock.apart > WRONG_CLOCK:
            return ELECTION
        with self._database.connect() as session:
            if not leading(session, LEADER_LOCK):
                self._replace_a_leader_that_hangs(session)
                return min(ELECTION, self._sweep_seconds)
            show_host(session, self._host)
            log.info("leading the sweep", every_seconds=self._sweep_seconds)
            session.execute(f"LISTEN {ENROLLED_CHANNEL}")
            self._lead(session, stop)
        return 0

    def _lead(self, session: Session, stop: Event) -> None:
        next_sweep = time.monotonic()
        self._next_beat = next_sweep
        while not stop.is_set() and self._clock.apart <= WRONG_CLOCK:
            self._beat()
            self._fold()
            if time.monotonic() >= next_sweep:
                self.sweep()
                next_sweep = time.monotonic() + self._sweep_seconds
            notifications = session.notifies(timeout=min(LISTEN, self._sweep_seconds), stop_after=1)
            enrolled = [int(notification.payload) for notification in notifications]
            if enrolled:
                self._schedule_enrolled(enrolled)

    def _replace_a_leader_that_hangs(self, session: Session) -> None:
        """End the session of a leader that has not beaten for long: stopped, or cut off without anybody's notice."""
        age = read_pulse(session).age
        if age is not None and age > max(HANGS_SECONDS, 4 * self._sweep_seconds):
            log.error("the leader hangs: taking over", seconds=round(age))
            end_silent_leader(session, LEADER_LOCK, 0)

    def _beat(self) -> None:
        """Beat if it is time to."""
        if time.monotonic() >= self._next_beat:
            self._heartbeat.beat()
            self._next_beat = time.monotonic() + min(BEAT, self._sweep_seconds)

    def _fold(self) -> None:
        """Fold the counters' deltas if it is time to."""
        if time.monotonic() >= self._next_fold:
            fold(self._database)
            self._next_fold = time.monotonic() + FOLD_SECONDS

    def sweep(self) -> int:
        """Sweep once: end leases, wake what is due or soon will be. Tell how many rows were woken."""
        while self._end_leases() >= PAGE:
            self._beat()
        self._make_months()
        return self._wake()

    def _make_months(self) -> None:
        """Make the partitions of the coming months of the history, if it is time to."""
        if time.monotonic() >= self._next_months:
            with self._database.transaction() as session:
                if not make_months(session):
                    log.warning("the coming months of the history were not made yet: somebody reads them")
            self._next_months = time.monotonic() + MONTHS_SECONDS

    def _end_leases(self) -> int:
        """End the oldest leases that are over; tell how many."""
        with self._database.transaction() as session:
            ended = end_leases(session, PAGE)
            end_pauses(session)
        RECOVERED.labels("lease").inc(len(ended.returned))
        RECOVERED.labels("in_doubt").inc(ended.in_doubt)
        if ended.in_doubt:
            log.error("rows in doubt: their worker was lost after the hand-over had begun", rows=ended.in_doubt)
        self._wakeups.schedule(ended.returned)
        return len(ended.returned) + ended.in_doubt

    def _wake(self) -> int:
        """Wake the rows that are due or will be before the sweep after next: a page of each workspace by turns."""
        woken = 0
        idle = self._wakeups.counts()["queued"] == 0
        places: dict[int, Awaiting | None] = dict.fromkeys(self._workspaces())
        while places and self._wakeups.counts()["queued"] * ROWS_PER_MESSAGE < ENOUGH_QUEUED:
            for workspace_id, place in list(places.items()):
                self._beat()
                rows = self._wake_page(workspace_id, place)
                woken += len(rows)
                if len(rows) < PAGE:
                    del places[workspace_id]
                else:
                    places[workspace_id] = rows[-1]
                if idle:
                    self._count_overdue(rows)
        return woken

    def _workspaces(self) -> list[int]:
        with self._database.transaction() as session:
            return going_workspaces(session)

    def _wake_page(self, workspace_id: int, place: Awaiting | None) -> list[Awaiting]:
        horizon = 2 * self._sweep_seconds
        with self._database.transaction() as session:
            rows = awaiting(session, workspace_id, after=place, horizon=horizon, rate=self._clock.rate, limit=PAGE)
        self._wakeups.schedule([(row.due_at.timestamp(), [row.id]) for row in rows if row.retry_at is None])
        self._wakeups.retry([(row.retry_at.timestamp(), [row.id]) for row in rows if row.retry_at is not None])
        return rows

    def _count_overdue(self, rows: list[Awaiting]) -> None:
        """Count rows that had been due for a sweep with nothing queued: their wake-ups had been lost."""
        late = [
            self._clock.lateness(r.due_at.timestamp(), r.retry_at.timestamp() if r.retry_at else None) for r in rows
        ]
        RECOVERED.labels("wake_up_lost").inc(sum(seconds > self._sweep_seconds for seconds in late))

    def _schedule_enrolled(self, enrollments: list[int]) -> None:
        with self._database.transaction() as session:
            due: list[Due] = wakeups_of(session, enrollments)
        self._wakeups.schedule(due)
