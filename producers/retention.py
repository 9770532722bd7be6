"""Remove what is older than so many months: attempts, events, and whole months of the history."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, Protocol

import psycopg

from engine.database import Database, Session, first_line
from engine.errors import Unavailable
from engine.outbox.history_months import count_month, old_months, remove_month
from engine.outbox.retention import START, Cutoff, Step, bounds, cutoff, step_attempts, step_events

#: Rows that one transaction looks at: a few hundredths of a second.
PAGE: Final = 5_000

#: How often a month is tried that somebody reads, and real seconds between two tries.
TRIES: Final = 5
PAUSE: Final = 0.5


class TakesStep(Protocol):
    """Removes the old rows of a page of a table."""

    def __call__(
        self, session: Session, cutoff: Cutoff, until: int, after: tuple[int, int], limit: int, *, dry_run: bool
    ) -> Step:
        """Take one step."""


@dataclass(slots=True)
class Month:
    """A month of a table."""

    removed: int = 0
    kept: int = 0
    """As old, and still needed: of enrollments that run or ended since, in doubt, or an opt-out."""


@dataclass(slots=True)
class Retained:
    """What was removed, or would be."""

    before: datetime
    """Real time: what is younger stays."""
    months: dict[tuple[str, date], Month] = field(default_factory=dict)
    """By table and month."""
    busy: list[date] = field(default_factory=list)
    """Months of the history that somebody reads: run it again."""

    def removed(self, table: str | None = None) -> int:
        """Return how many rows were removed, of one table or of all."""
        return sum(month.removed for (name, _), month in self.months.items() if table in (None, name))

    def document(self) -> dict[str, Any]:
        """For a program to read."""
        return {
            "before": self.before,
            "months": [
                {"table": table, "month": f"{first:%Y-%m}", "removed": month.removed, "kept": month.kept}
                for (table, first), month in sorted(self.months.items())
            ],
            "busy": [f"{month:%Y-%m}" for month in self.busy],
        }


def retain(
    database: Database, months: int, *, dry_run: bool = False, progress: Callable[[int], None] = lambda _: None
) -> Retained:
    """Keep so many whole months and the current one; `progress` gets the number of rows that each step removed.

    Raises:
        Unavailable: the database can't be reached, or the role may not do it.
    """
    try:
        return _retain(database, months, dry_run, progress)
    except psycopg.errors.InsufficientPrivilege as error:
        raise Unavailable(
            f"Postgres: {first_line(error)}; `cadenza retain` needs the role that owns the tables, as `migrate` does"
        ) from None


def _retain(database: Database, months: int, dry_run: bool, progress: Callable[[int], None]) -> Retained:
    with database.transaction() as session:
        since = cutoff(session, months)
        ends = bounds(session, since.before)
    done = Retained(since.before)
    _walk(database, done, "attempts", step_attempts, since, ends.attempts, dry_run, progress)
    _walk(database, done, "events", step_events, since, ends.events, dry_run, progress)
    _remove_history(database, done, since, dry_run, progress)
    return done


def _walk(
    database: Database,
    done: Retained,
    table: str,
    take: TakesStep,
    since: Cutoff,
    until: int,
    dry_run: bool,
    progress: Callable[[int], None],
) -> None:
    after, is_last = START, False
    while not is_last:
        with database.transaction() as session:
            step = take(session, since, until, after, PAGE, dry_run=dry_run)
        for first, (removed, kept) in step.months.items():
            month = done.months.setdefault((table, first), Month())
            month.removed += removed
            month.kept += kept
            progress(removed)
        after, is_last = step.after, step.is_last


def _remove_history(
    database: Database, done: Retained, since: Cutoff, dry_run: bool, progress: Callable[[int], None]
) -> None:
    with database.transaction() as session:
        months = old_months(session, since)
    for first in months:
        with database.transaction() as session:
            held = count_month(session, since, first)
        removed = held.rows - held.needed
        is_rest = held.needed > 0 and removed == 0
        if not dry_run and not is_rest and not _remove_month(database, since, first, keep=held.needed > 0):
            done.busy.append(first)
            continue
        done.months["history", first] = Month(removed, held.needed)
        progress(removed)


def _remove_month(database: Database, since: Cutoff, first: date, *, keep: bool) -> bool:
    for number in range(TRIES):
        if number:
            time.sleep(PAUSE)
        with database.transaction() as session:
            if remove_month(session, since, first, keep=keep):
                return True
    return False
