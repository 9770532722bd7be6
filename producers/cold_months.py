"""List the archived months of steps, detach them, and attach them again."""

import time
from datetime import date
from typing import Final

import psycopg

from engine.database import Database, Session, first_line
from engine.errors import InvalidInput, NotFound, Unavailable
from engine.outbox import cold_months
from engine.outbox.cold_months import ArchivedMonth, MonthState, tables_of
from schema.counted import counted

#: How often `detach` tries while a transaction reads the month, and real seconds between two tries.
TRIES: Final = 5
PAUSE: Final = 0.5


def list_months(database: Database) -> list[ArchivedMonth]:
    """Return all months that steps were moved into, the oldest first."""
    with database.transaction() as session:
        return cold_months.months(session)


def detach(database: Database, month: date) -> bool:
    """Turn the partitions of a month into plain tables; return False if a transaction keeps reading them.

    Raises:
        NotFound: nothing was archived in that month.
        InvalidInput: it is detached already.
        Unavailable: the role may not do it.
    """
    for number in range(TRIES):
        if number:
            time.sleep(PAUSE)
        with database.transaction() as session:
            _require(session, month, MonthState.ATTACHED, "detached")
            try:
                done = cold_months.detach(session, month)
            except psycopg.errors.InsufficientPrivilege as error:
                raise _not_allowed("detach", error) from None
        if done:
            return True
    return False


def attach(database: Database, month: date) -> None:
    """Make the tables of a month its partitions again, after a check that they hold what was archived.

    Raises:
        NotFound: nothing was archived in that month.
        InvalidInput: it is attached, its tables are not there, or they hold something else.
        Unavailable: the role may not do it.
    """
    rows_table, attempts_table = tables_of(month)
    try:
        with database.transaction() as session:
            cold_months.hold_months(session)
            _require(session, month, MonthState.DETACHED, "attached")
            strange = cold_months.strangers(session, month)
            if strange:
                raise InvalidInput(
                    f"{rows_table} has {counted(strange, 'row')} of enrollments that are not archived in {month:%Y-%m}:"
                    " restore the dump of this database and month"
                )
            rows, attempts, moved_rows, moved_attempts = cold_months.sizes(session, month)
            if (rows, attempts) != (moved_rows, moved_attempts):
                raise InvalidInput(
                    f"{rows_table} has {rows:,} of {counted(moved_rows, 'archived row')}, and {attempts_table}"
                    f" {attempts:,} of {counted(moved_attempts, 'attempt')}: restore the whole dump"
                )
            cold_months.attach(session, month)
    except psycopg.errors.CheckViolation:
        raise InvalidInput(
            f"{rows_table} or {attempts_table} has rows whose archived_month is not {month:%Y-%m-%d}:"
            " restore the dump of this month"
        ) from None
    except (psycopg.errors.DatatypeMismatch, psycopg.errors.WrongObjectType) as error:
        raise InvalidInput(
            f"{rows_table} and {attempts_table} can't be attached: {first_line(error)}; give them the columns of"
            " archived_outbox and archived_attempts, which a migration has changed since"
        ) from None
    except psycopg.errors.InsufficientPrivilege as error:
        raise _not_allowed("attach", error) from None


def _require(session: Session, month: date, state: MonthState, to: str) -> None:
    known = {one.month: one for one in cold_months.months(session)}
    if month not in known:
        have = ", ".join(f"{one:%Y-%m}" for one in known) or "none: `cadenza retain` makes them"
        raise NotFound(f"no steps are archived in {month:%Y-%m}; archived months: {have}")
    found = known[month].state
    if found is state:
        return
    if found is MonthState.GONE:
        raise InvalidInput(
            f"the archive of {month:%Y-%m} can't be {to}: its tables {' and '.join(tables_of(month))} are not there;"
            " restore them from their dump"
        )
    raise InvalidInput(f"the archive of {month:%Y-%m} can't be {to}: it is {found}")


def _not_allowed(act: str, error: psycopg.Error) -> Unavailable:
    return Unavailable(
        f"Postgres: {first_line(error)}; `cadenza archives {act}` needs the role that owns the tables,"
        " as `migrate` does"
    )
