"""Archive steps of enrollments that ended long ago, and remove their events and whole months of the history."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

import psycopg

from engine.database import Database, first_line
from engine.errors import Unavailable
from engine.outbox.cold_move import move_step
from engine.outbox.history_months import count_month, old_months, remove_month
from engine.outbox.retention import START, Cutoff, bounds, cutoff, step_events

#: Rows that one transaction looks at: a few hundredths of a second.
PAGE: Final = 5_000

#: How often a month is tried that somebody reads, and real seconds between two tries.
TRIES: Final = 5
PAUSE: Final = 0.5


@dataclass(slots=True)
class Month:
    """A month of a table."""

    removed: int = 0
    kept: int = 0
    """As old, and still needed: of enrollments that run or ended since, in doubt, or an opt-out."""


@dataclass(slots=True)
class Archived:
    """What was moved into the archive of a month."""

    rows: int = 0
    attempts: int = 0


@dataclass(slots=True)
class Retained:
    """What was archived and removed, or would be."""

    before: datetime
    """Real time: what is younger stays."""
    archived: dict[date, Archived] = field(default_factory=dict)
    """Steps, by the month in which their enrollment ended."""
    kept: int = 0
    """Rows as old that stay: their enrollment runs, ended since, is in doubt, held, or of a detached month."""
    months: dict[tuple[str, date], Month] = field(default_factory=dict)
    """By table and month."""
    busy: list[date] = field(default_factory=list)
    """Months of the history that somebody reads: run it again."""

    def removed(self, table: str | None = None) -> int:
        """Return how many rows were removed, of one table or of all."""
        return sum(month.removed for (name, _), month in self.months.items() if table in (None, name))

    def moved(self) -> int:
        """Return how many outbox rows were archived."""
        return sum(month.rows for month in self.archived.values())

    def document(self) -> dict[str, Any]:
        """For a program to read."""
        return {
            "before": self.before,
            "archived": [
                {"month": f"{first:%Y-%m}", "rows": month.rows, "attempts": month.attempts}
                for first, month in sorted(self.archived.items())
            ],
            "kept_rows": self.kept,
            "months": [
                {"table": table, "month": f"{first:%Y-%m}", "removed": month.removed, "kept": month.kept}
                for (table, first), month in sorted(self.months.items())
            ],
            "busy": [f"{month:%Y-%m}" for month in self.busy],
        }


def retain(
    database: Database, months: int, *, dry_run: bool = False, progress: Callable[[int], None] = lambda _: None
) -> Retained:
    """Keep so many whole months and the current one; `progress` gets the number of rows of each step.

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
    _archive(database, done, since, ends.enrollments, dry_run, progress)
    _remove_events(database, done, since, ends.events, dry_run, progress)
    _remove_history(database, done, since, dry_run, progress)
    return done


def _archive(
    database: Database, done: Retained, since: Cutoff, until: int, dry_run: bool, progress: Callable[[int], None]
) -> None:
    after, is_last = START, False
    while not is_last:
        with database.transaction() as session:
            step = move_step(session, since, until, after, PAGE, dry_run=dry_run)
        for first, (rows, attempts) in step.months.items():
            month = done.archived.setdefault(first, Archived())
            month.rows += rows
            month.attempts += attempts
            progress(rows)
        done.kept += step.kept
        after, is_last = step.after, step.is_last


def _remove_events(
    database: Database, done: Retained, since: Cutoff, until: int, dry_run: bool, progress: Callable[[int], None]
) -> None:
    after, is_last = START, False
    while not is_last:
        with database.transaction() as session:
            step = step_events(session, since, until, after, PAGE, dry_run=dry_run)
        for first, (removed, kept) in step.months.items():
            month = done.months.setdefault(("events", first), Month())
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
