"""Rows that are due and not moving: their wake-ups were lost, or the worker that was told of them.

The cost follows what is stuck (docs/decisions/0025-what-is-queued-is-left-alone.md). The queue is first in, first out:
what fell due after its first message was promoted is behind that message, or waits in a worker. So a sweep looks at

- what fell due before it, each row once, without a limit;
- those that it has looked at before and that are still pending: as far as a page of rows that need no wake-up;
- a sample of what falls due before the sweep after next: as long as wake-ups are missing there.

When Redis has lost the mark of the last sweep, every row is looked at for the first time again.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import uuid4

from engine.clock import SequenceClock, from_epoch
from engine.database import Database
from engine.metrics import RECOVERED
from engine.outbox.sweep import BEGINNING, DueRow, Place, due_page, due_workspaces
from engine.wakeups import Wakeups
from schema.messages import ROWS_PER_MESSAGE

PAGE: Final = 1_000

#: Rows whose wake-ups stand for all that fall due soon.
SAMPLE: Final = 100

#: With so many rows queued the workers have enough to do: the rest can wait for the next sweep.
ENOUGH_QUEUED: Final = 50_000

#: Behind all rows that fall due at the same moment.
LAST_ID: Final = 2**63 - 1


class Swept(NamedTuple):
    """What a sweep did."""

    woken: int
    looked_at: int


@dataclass(slots=True)
class Progress:
    """How far a workspace's rows were looked at, in the order of their due times."""

    seen_to: Place = BEGINNING
    """Up to here each row was looked at once."""
    again_from: Place = BEGINNING
    """Where the next look at those goes on."""
    ahead_to: float | None = None
    """Up to here wake-ups were looked for before their time. Epoch seconds, sequence time."""
    woken_at: float = float("-inf")
    """When a row was last woken: it is in the queue until a later message is the first. Real time."""


@dataclass(frozen=True, slots=True)
class View:
    """What a sweep knows before it looks. Epoch seconds."""

    real_now: float
    sequence_now: float
    queue_is_empty: bool
    taken: float
    """What fell due before this has been promoted and taken by a worker. Real time."""
    until: datetime
    """The same in sequence time."""
    ahead: datetime
    """Sequence time of the sweep after next."""


class StuckRows:
    """Finds the rows that are stuck, and wakes them. For one leader."""

    def __init__(self, database: Database, wakeups: Wakeups, clock: SequenceClock, sweep_seconds: float) -> None:
        """Prepare; nothing was looked at yet."""
        self._database = database
        self._wakeups = wakeups
        self._clock = clock
        self._sweep_seconds = sweep_seconds
        self._progress: dict[int, Progress] = {}
        self._mark: str | None = None
        self._sequence_now = float("-inf")
        self._woken = 0
        self._looked_at = 0

    def look_again(self, workspaces: Iterable[int]) -> None:
        """Look at all rows of these workspaces with the next sweep: something has ended that kept them."""
        for workspace_id in workspaces:
            self._progress.pop(workspace_id, None)

    def wake(self, going_on: Callable[[], None]) -> Swept:
        """Wake what is stuck, a page of each workspace by turns; `going_on` is called before each page."""
        self._woken = self._looked_at = 0
        view = self._look_around()
        with self._database.transaction() as session:
            workspaces = due_workspaces(session, view.ahead)
        self._progress = {one: self._progress.get(one) or Progress() for one in workspaces}
        walks = [self._walk(one, self._progress[one], view) for one in workspaces]
        while walks and self._wakeups.counts()["queued"] * ROWS_PER_MESSAGE < ENOUGH_QUEUED:
            for walk in list(walks):
                going_on()
                if next(walk, None) is None:
                    walks.remove(walk)
        self._mark = uuid4().hex
        self._wakeups.mark_sweep(self._mark)
        return Swept(self._woken, self._looked_at)

    def _look_around(self) -> View:
        """Read the queue; forget what was looked at if Redis has lost something, or if the clock went back."""
        queue = self._wakeups.queue()
        real_now, sequence_now = self._clock.real_now(), self._clock.now()
        if queue.mark is None or queue.mark != self._mark or sequence_now < self._sequence_now:
            self._progress.clear()
        self._sequence_now = sequence_now
        taken = real_now if queue.oldest is None else queue.oldest - self._sweep_seconds
        return View(
            real_now,
            sequence_now,
            queue.oldest is None,
            taken,
            from_epoch(self._clock.then(taken)),
            from_epoch(sequence_now + 2 * self._sweep_seconds * self._clock.rate),
        )

    def _walk(self, workspace_id: int, progress: Progress, view: View) -> Iterator[int]:
        """Look at a workspace's rows, page by page: the number of rows of each."""
        seen_before = progress.seen_to
        looks_again = progress.again_from > BEGINNING or view.taken >= progress.woken_at
        yield from self._first_look(workspace_id, progress, view)
        if seen_before > BEGINNING and looks_again:
            yield from self._another_look(workspace_id, progress, view, seen_before)
        yield from self._look_ahead(workspace_id, progress, view)

    def _first_look(self, workspace_id: int, progress: Progress, view: View) -> Iterator[int]:
        while rows := self._page(workspace_id, progress.seen_to, view.until, PAGE):
            self._wake_due(rows, progress, view)
            progress.seen_to = rows[-1].place
            yield len(rows)
            if len(rows) < PAGE:
                break

    def _another_look(self, workspace_id: int, progress: Progress, view: View, seen_before: Place) -> Iterator[int]:
        until = min(seen_before.due_at, view.until)
        spared = 0
        while spared < PAGE:
            rows = self._page(workspace_id, progress.again_from, until, PAGE)
            spared += len(rows) - self._wake_due(rows, progress, view)
            progress.again_from = rows[-1].place if len(rows) == PAGE else BEGINNING
            yield len(rows)
            if len(rows) < PAGE:
                return

    def _look_ahead(self, workspace_id: int, progress: Progress, view: View) -> Iterator[int]:
        """Wake what falls due soon, before its time, as long as wake-ups are missing."""
        if progress.ahead_to is None:
            begin = view.until if view.queue_is_empty else from_epoch(view.sequence_now)
        else:
            begin = from_epoch(max(progress.ahead_to, view.sequence_now))
        place, size = Place(begin, LAST_ID), SAMPLE
        while True:
            rows = self._page(workspace_id, place, view.ahead, size)
            woken = self._wake(rows, view)
            if len(rows) < size or not woken:
                progress.ahead_to = view.ahead.timestamp()
                return
            place, size = rows[-1].place, PAGE
            yield len(rows)

    def _page(self, workspace_id: int, after: Place, until: datetime, limit: int) -> list[DueRow]:
        with self._database.transaction() as session:
            rows = due_page(session, workspace_id, after, until, limit)
        self._looked_at += len(rows)
        return rows

    def _wake_due(self, rows: list[DueRow], progress: Progress, view: View) -> int:
        woken = self._wake(rows, view)
        if woken:
            progress.woken_at = self._clock.real_now()
        return woken

    def _wake(self, rows: list[DueRow], view: View) -> int:
        """Wake those of the rows that may go and have no wake-up; return how many."""
        due = {row.id: row.due_at.timestamp() for row in rows if row.may_go and row.retry_at is None}
        retries = {row.id: row.retry_at.timestamp() for row in rows if row.may_go and row.retry_at is not None}
        in_flight = {row_id for row_id, moment in retries.items() if view.taken < moment <= view.real_now}
        lacking = self._wakeups.lacking(list(due.items()))
        lacking_retries = [
            row_id for row_id in self._wakeups.lacking(list(retries.items()), retries=True) if row_id not in in_flight
        ]
        self._wakeups.schedule([(due[row_id], [row_id]) for row_id in lacking])
        self._wakeups.retry([(retries[row_id], [row_id]) for row_id in lacking_retries])
        woken = len(lacking) + len(lacking_retries)
        if view.queue_is_empty:
            late = [self._clock.lateness(due[row_id]) for row_id in lacking]
            late += [self._clock.real_now() - retries[row_id] for row_id in lacking_retries]
            RECOVERED.labels("wake_up_lost").inc(sum(seconds > self._sweep_seconds for seconds in late))
        self._woken += woken
        return woken
