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
from engine.outbox.pause import end_pauses
from engine.outbox.sweep import end_leases, wakeups_of
from engine.wakeups import Due, Wakeups
from schema.messages import ENROLLED_CHANNEL
from workers.heartbeat import Heartbeat
from workers.leader import end_silent_leader, leading, show_host
from workers.stale_rule import StaleRule
from workers.stuck_rows import StuckRows, Swept

log = structlog.get_logger(__name__)

#: The advisory lock whose holder leads.
LEADER_LOCK: Final = 4_207_002

#: Real seconds between two heartbeats, at most: a backup that is younger than that is not noticed.
BEAT: Final = 1.0

#: Real seconds without a heartbeat after which another process takes over, at least.
HANGS_SECONDS: Final = 30.0

#: Leases that are ended in one transaction.
PAGE: Final = 1_000

#: Real seconds between two looks whether the history's coming months are there: the first when it becomes the leader.
MONTHS_SECONDS: Final = 3_600.0

#: Real seconds between two folds of the counters: what there is to fold is read with every `status` and every scrape.
FOLD_SECONDS: Final = 5.0

#: Real seconds between two tries to become the leader, at most.
ELECTION: Final = 1.0


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
        self._stuck = StuckRows(database, wakeups, clock, sweep_seconds)
        self._stale = StaleRule(database)
        self._next_beat = float("-inf")
        self._next_months = float("-inf")
        self._next_fold = float("-inf")

    def turn(self, stop: Event) -> float:
        """Follow until nobody else leads, and lead until told to stop or until the connection is lost.

        While the clocks differ nobody here leads: leases would end too soon, and beats would keep dispatch open.
        """
        election = min(ELECTION, self._sweep_seconds)
        if self._clock.apart > WRONG_CLOCK:
            return election
        with self._database.connect() as session:
            while not leading(session, LEADER_LOCK):
                self._replace_a_leader_that_hangs(session)
                if stop.wait(election) or self._clock.apart > WRONG_CLOCK:
                    return election
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
            pause = max(0.0, min(self._next_beat, next_sweep) - time.monotonic())
            notifications = session.notifies(timeout=pause, stop_after=1)
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

    def sweep(self) -> Swept:
        """Sweep once: end leases and what is stale by rule, and wake what is stuck."""
        while self._end_leases() >= PAGE:
            self._beat()
        self._make_months()
        self._stale.apply(self._beat)
        return self._stuck.wake(self._beat)

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
            going_on = end_pauses(session)
        self._stuck.look_again(going_on)
        RECOVERED.labels("lease").inc(len(ended.returned))
        RECOVERED.labels("in_doubt").inc(ended.in_doubt)
        if ended.in_doubt:
            log.error("rows in doubt: their worker was lost after the hand-over had begun", rows=ended.in_doubt)
        self._wakeups.schedule(ended.returned)
        return len(ended.returned) + ended.in_doubt

    def _schedule_enrolled(self, enrollments: list[int]) -> None:
        with self._database.transaction() as session:
            due: list[Due] = wakeups_of(session, enrollments)
        self._wakeups.schedule(due)
