"""Writes endings down and acts on what follows: wake-ups for tries and for the steps behind."""

import time
from collections import Counter as Counts
from collections.abc import Sequence
from typing import Final

import structlog

from engine.clock import SequenceClock
from engine.database import GONE, Database, first_line
from engine.errors import CadenzaError
from engine.metrics import DUPLICATES_PREVENTED, MESSAGES, RETRIES
from engine.outbox.claim import left_alone
from engine.outbox.evidence import accept_late_words, settle_proven
from engine.outbox.following import LATE, Settled, shift_behind
from engine.outbox.settle import Ending, settle
from engine.wakeups import Due, Wakeups, WakeupsUnavailable
from schema.states import BLOCKING, RowStatus

log = structlog.get_logger(__name__)

#: A step behind is woken at once when it falls due within so many real seconds: its own wake-up may have
#: come, and gone, while the step before it was still being settled.
SOON: Final = 5.0

#: The values of `outcome` in cadenza_messages_total (DESIGN.md section 9).
OUTCOMES: Final = {
    RowStatus.SENT: "sent",
    RowStatus.DONE: "done",
    RowStatus.FAILED: "failed",
    RowStatus.PENDING: "retried",
    RowStatus.UNKNOWN: "unknown",
    RowStatus.REVIEW: "review",
    RowStatus.SKIPPED: "skipped",
}

#: Real seconds between two tries to reach a database that is gone.
DATABASE_RETRY: Final = 0.5


class GivenUp(CadenzaError):  # noqa: N818 (what it is)
    """Rows were not settled: they stay as they are until their leases end."""


class Settler:
    """Settles rows, and keeps at it while the database is away."""

    def __init__(self, database: Database, wakeups: Wakeups, clock: SequenceClock) -> None:
        """Prepare."""
        self._database = database
        self._wakeups = wakeups
        self._clock = clock
        self._until = float("inf")

    def give_up_after(self, seconds: float) -> None:
        """Try no longer than so many real seconds from now while the database is gone."""
        self._until = min(self._until, time.monotonic() + seconds)

    def settle(self, endings: Sequence[Ending]) -> None:
        """Write the endings down, count them, and wake what comes next.

        Raises:
            GivenUp: the database has been gone for longer than it is waited for.
        """
        if not endings:
            return
        settled, shifted = self._write(endings)
        _count(endings, {row.id for row in settled})
        try:
            retries, due = self._next(endings, settled)
        except GONE as error:
            log.warning("wake-ups not scheduled: the sweeper will make up for them", error=first_line(error))
            return
        self._wake([*due, *shifted], retries)

    def look_again(self, ids: Sequence[int]) -> None:
        """Put back the wake-ups of rows that were looked at too early; count those that others handled."""
        if not ids:
            return
        try:
            with self._database.transaction() as session:
                rows = left_alone(session, ids)
            real_now = self._clock.real_now()
        except GONE as error:
            log.warning("not looked at again: the sweeper will make up for it", rows=len(ids), error=first_line(error))
            return
        due: list[Due] = []
        retries: list[Due] = []
        for row in rows:
            if row.status != RowStatus.PENDING:
                DUPLICATES_PREVENTED.labels("claim").inc()
            elif row.may_go and row.retry_at is not None and row.retry_at > real_now:
                retries.append((row.retry_at, [row.id]))
            elif row.may_go and row.due_at is not None:
                due.append((row.due_at, [row.id]))
        self._wake(due, retries)

    def wake(self, due: Sequence[Due]) -> None:
        """Schedule wake-ups of rows that were put back, in sequence time."""
        self._wake(due, [])

    def _write(self, endings: Sequence[Ending]) -> tuple[list[Settled], list[Due]]:
        while True:
            try:
                with self._database.transaction() as session:
                    settled = settle(session, endings)
                    late = self._late(endings, settled)
                    due = list(shift_behind(session, late)) if late else []
                    due += settle_proven(session, self._clock, endings)
                    due += accept_late_words(session, self._clock, endings, settled)
                    return settled, due
            except GONE as error:
                if time.monotonic() > self._until:
                    raise GivenUp(f"{len(endings)} rows, since the database is gone: {first_line(error)}") from None
                log.warning("not settled yet: the database is gone", rows=len(endings), error=first_line(error))
                time.sleep(DATABASE_RETRY)

    def _late(self, endings: Sequence[Ending], settled: Sequence[Settled]) -> list[tuple[Settled, float]]:
        """Rows that ended late with a step behind them, and by how much sequence time."""
        ended = {ending.id for ending in endings if ending.status not in BLOCKING}
        now = self._clock.now()
        return [
            (row, now - row.due_at)
            for row in settled
            if row.next_id is not None and row.id in ended and self._clock.lateness(row.due_at) > LATE
        ]

    def _next(self, endings: Sequence[Ending], settled: Sequence[Settled]) -> tuple[list[Due], list[Due]]:
        """The wake-ups in real time and in sequence time that follow."""
        again = {ending.id for ending in endings if ending.status == RowStatus.PENDING}
        soon = self._clock.now() + SOON * self._clock.rate
        retries: list[Due] = []
        due: list[Due] = []
        for row in settled:
            if row.id in again:
                if row.retry_at is not None:
                    retries.append((row.retry_at, [row.id]))
                else:
                    due.append((row.due_at, [row.id]))
            elif row.next_id is not None and row.next_due_at is not None and row.next_due_at <= soon:
                due.append((row.next_due_at, [row.next_id]))
        return retries, due

    def _wake(self, due: Sequence[Due], retries: Sequence[Due]) -> None:
        try:
            if due:
                self._wakeups.schedule(due)
            if retries:
                self._wakeups.retry(retries)
        except WakeupsUnavailable as error:
            log.warning("wake-ups not scheduled: the sweeper will make up for them", error=str(error))


def _count(endings: Sequence[Ending], settled: set[int]) -> None:
    counts = Counts((ending.channel, ending.status, ending.outcome) for ending in endings if ending.id in settled)
    for (channel, status, outcome), number in counts.items():
        MESSAGES.labels(channel, OUTCOMES[status]).inc(number)
        if status == RowStatus.PENDING:
            RETRIES.labels(channel, outcome or "released").inc(number)
    if len(settled) < len(endings):
        DUPLICATES_PREVENTED.labels("settle").inc(len(endings) - len(settled))
