"""Months of archived steps: a pair of partitions each, for outbox rows and for attempts, that can be detached."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

import psycopg
from psycopg import sql

from engine.database import Session

#: Moving, `detach` and `attach` change months one after the other.
ALONE: Final = "SELECT pg_advisory_xact_lock(hashtextextended('cadenza: archived months', 0))"

#: Readers of the archive queue behind whoever waits for this lock, so the wait is short.
LOCK_TIMEOUT: Final = "SET LOCAL lock_timeout = '200ms'"

KNOWN: Final = "SELECT detached_at FROM archive_months WHERE month = %s"
NOTE: Final = "INSERT INTO archive_months (month) VALUES (%s)"
NOTE_DETACHED: Final = "UPDATE archive_months SET detached_at = clock_timestamp() WHERE month = %s"
NOTE_ATTACHED: Final = "UPDATE archive_months SET detached_at = NULL WHERE month = %s"
DETACHED: Final = "SELECT month FROM archive_months WHERE detached_at IS NOT NULL ORDER BY month"
IS_THERE: Final = "SELECT to_regclass(%s) IS NOT NULL AND to_regclass(%s) IS NOT NULL"

#: ATTACH takes a weaker lock of the parent than CREATE TABLE ... PARTITION OF: readers and writers go on.
MAKE: Final = "CREATE TABLE {part} (LIKE {parent} INCLUDING ALL)"
ATTACH: Final = "ALTER TABLE {parent} ATTACH PARTITION {part} FOR VALUES FROM ({first}) TO ({following})"
DETACH: Final = "ALTER TABLE {parent} DETACH PARTITION {part}"

LIST: Final = """
SELECT m.month, m.detached_at, coalesce(counted.rows, 0), coalesce(counted.attempts, 0),
    rows.oid IS NOT NULL AND attempts.oid IS NOT NULL,
    coalesce(pg_total_relation_size(rows.oid), 0) + coalesce(pg_total_relation_size(attempts.oid), 0)
FROM archive_months m
LEFT JOIN LATERAL (
    SELECT sum(c.rows)::bigint AS rows, sum(c.attempts)::bigint AS attempts
    FROM archived_counts c WHERE c.month = m.month
) AS counted ON true
CROSS JOIN LATERAL (SELECT to_regclass('archives.' || to_char(m.month, '"outbox_"YYYY_MM'))::oid) AS rows (oid)
CROSS JOIN LATERAL (SELECT to_regclass('archives.' || to_char(m.month, '"attempts_"YYYY_MM'))::oid) AS attempts (oid)
ORDER BY m.month
"""

#: Rows that do not belong here: of another database, or of an enrollment whose steps are somewhere else.
STRANGERS: Final = """
SELECT count(*) FROM {rows} AS o WHERE NOT EXISTS (
    SELECT FROM enrollments e WHERE e.id = o.enrollment_id AND e.archived_month = %(month)s
)
"""
SIZE: Final = """
SELECT (SELECT count(*) FROM {rows}), (SELECT count(*) FROM {attempts}),
    coalesce(sum(c.rows), 0)::bigint, coalesce(sum(c.attempts), 0)::bigint
FROM archived_counts c WHERE c.month = %(month)s
"""


class MonthState(StrEnum):
    """Where the rows of an archived month are."""

    ATTACHED = "attached"
    DETACHED = "detached"
    """In plain tables, which nothing reads."""
    GONE = "gone"
    """Detached, and its tables are dropped: a dump may have them."""


@dataclass(frozen=True, slots=True)
class ArchivedMonth:
    """A month, with what was moved into it."""

    month: date
    state: MonthState
    detached_at: datetime | None
    """Real time."""
    rows: int
    attempts: int
    bytes: int
    """On the disk, with indexes; 0 when its tables are dropped."""


def months(session: Session) -> list[ArchivedMonth]:
    """Return all months that rows were moved into, the oldest first."""
    return [
        ArchivedMonth(month, _state(detached_at, is_there), detached_at, rows, attempts, size)
        for month, detached_at, rows, attempts, is_there, size in session.execute(LIST)
    ]


def state_of(session: Session, month: date) -> MonthState:
    """Return where the rows of a month are."""
    row = session.execute(KNOWN, (month,)).fetchone()
    return _state(row[0] if row else None, _is_there(session, month))


def detached_months(session: Session) -> list[date]:
    """Return the months whose rows nothing reads."""
    return [month for (month,) in session.execute(DETACHED)]


def hold_months(session: Session) -> None:
    """Keep others from changing months until the transaction ends."""
    session.execute(ALONE)


def make_month(session: Session, month: date) -> None:
    """Make the partitions of a month if it has none. Call `hold_months` before."""
    if session.execute(KNOWN, (month,)).fetchone() is not None:
        return
    session.execute(NOTE, (month,))
    for statement in (MAKE, ATTACH):
        _change(session, statement, month)


def detach(session: Session, month: date) -> bool:
    """Turn the partitions of a month into plain tables; return False if a transaction reads them, so try again.

    Call it in a transaction of its own, since its locks are held until the end of that.
    """
    try:
        with session.transaction():
            hold_months(session)
            session.execute(LOCK_TIMEOUT)
            _change(session, DETACH, month)
            session.execute(NOTE_DETACHED, (month,))
    except psycopg.errors.LockNotAvailable:
        return False
    return True


def strangers(session: Session, month: date) -> int:
    """Return how many rows of a detached month belong to no enrollment whose steps are archived in it."""
    row = session.execute(sql.SQL(STRANGERS).format(**_parts(month)), {"month": month}).fetchone()
    return int(row[0]) if row else 0


def sizes(session: Session, month: date) -> tuple[int, int, int, int]:
    """Return how many rows and attempts the tables of a month hold, and how many were moved into it."""
    row = session.execute(sql.SQL(SIZE).format(**_parts(month)), {"month": month}).fetchone()
    if row is None:
        raise LookupError(f"the archive of {month:%Y-%m} can't be counted")
    rows, attempts, moved_rows, moved_attempts = row
    return rows, attempts, moved_rows, moved_attempts


def attach(session: Session, month: date) -> None:
    """Make the tables of a month its partitions again. Call `hold_months` before.

    Raises:
        psycopg.errors.CheckViolation: a row is of another month.
        psycopg.errors.DatatypeMismatch: a table has other columns.
    """
    _change(session, ATTACH, month)
    session.execute(NOTE_ATTACHED, (month,))


def tables_of(month: date) -> tuple[str, str]:
    """Return the names of a month's tables: of outbox rows, and of attempts."""
    return f"archives.outbox_{month:%Y_%m}", f"archives.attempts_{month:%Y_%m}"


def _change(session: Session, statement: str, month: date) -> None:
    parts = _parts(month)
    following = date(month.year + month.month // 12, month.month % 12 + 1, 1)
    for parent, part in (("archived_outbox", parts["rows"]), ("archived_attempts", parts["attempts"])):
        session.execute(
            sql.SQL(statement).format(
                parent=sql.Identifier(parent), part=part, first=sql.Literal(month), following=sql.Literal(following)
            )
        )


def _parts(month: date) -> dict[str, sql.Identifier]:
    rows, attempts = (sql.Identifier(*name.split(".")) for name in tables_of(month))
    return {"rows": rows, "attempts": attempts}


def _is_there(session: Session, month: date) -> bool:
    row = session.execute(IS_THERE, tables_of(month)).fetchone()
    return bool(row and row[0])


def _state(detached_at: datetime | None, is_there: bool) -> MonthState:
    if detached_at is None:
        return MonthState.ATTACHED
    return MonthState.DETACHED if is_there else MonthState.GONE
