"""Remove old months of the history: each is a partition, and goes as a whole, but for what is still needed of it."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

import psycopg
from psycopg import sql

from engine.database import Session
from engine.outbox.retention import HAS_ENDED, Cutoff

#: Partitions are named by their month (make_history_months).
OLD: Final = """
SELECT to_date(c.relname, '"m"YYYY_MM') FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'history'::regclass AND c.relname ~ '^m[0-9]{4}_[0-9]{2}$'
    AND to_date(c.relname, '"m"YYYY_MM') < %s
ORDER BY 1
"""

#: Only what was done to a whole sequence or workspace belongs to no enrollment.
NEEDED: Final = f"""
    EXISTS (SELECT FROM enrollments e WHERE e.id = h.enrollment_id AND NOT ({HAS_ENDED}))
"""

COUNT: Final = f"SELECT count(*), count(*) FILTER (WHERE {NEEDED}) FROM {{part}} AS h"

#: Whoever makes months waits, and is waited for.
ALONE: Final = "SELECT pg_advisory_xact_lock(hashtextextended('cadenza: months of the history', 0))"
MONTH_IS_THERE: Final = "SELECT to_regclass(%s) IS NOT NULL"

#: Whoever writes to the history waits behind us while we wait for the lock: so that is given up soon.
LOCK_TIMEOUT: Final = "SET LOCAL lock_timeout = '200ms'"

#: What is still needed of a month, in a table that takes its place.
COPY: Final = f"""
CREATE TABLE {{rest}} (LIKE history INCLUDING ALL);
CREATE TRIGGER not_emptied BEFORE TRUNCATE ON {{rest}} EXECUTE FUNCTION refuse_rewriting();
INSERT INTO {{rest}} SELECT h.* FROM {{part}} AS h WHERE {NEEDED}
"""
DETACH: Final = "ALTER TABLE history DETACH PARTITION {part}; DROP TABLE {part}"
REPLACE: Final = """
ALTER TABLE {rest} RENAME TO {name};
ALTER TABLE history ATTACH PARTITION {part} FOR VALUES FROM ({first}) TO ({following})
"""


@dataclass(frozen=True, slots=True)
class MonthCount:
    """What a month of the history holds."""

    rows: int
    needed: int
    """Those of enrollments that run, or ended since the cutoff."""


def old_months(session: Session, cutoff: Cutoff) -> list[date]:
    """Return the months that end before the cutoff, the oldest first."""
    return [month for (month,) in session.execute(OLD, (cutoff.before.astimezone(UTC).date(),))]


def count_month(session: Session, cutoff: Cutoff, month: date) -> MonthCount:
    """Count what a month holds, and what of it is still needed."""
    query = sql.SQL(COUNT).format(part=_part(month))
    row = session.execute(query, {"ended_before": cutoff.ended_before}).fetchone()
    if row is None:
        raise LookupError(f"the history of {month:%Y-%m} is gone")
    return MonthCount(*row)


def remove_month(session: Session, cutoff: Cutoff, month: date, *, keep: bool) -> bool:
    """Drop a month, but for what is still needed of it (`keep`); False: somebody reads it, so try again.

    Call it in a transaction of its own: what it locks, it locks until the end of that.
    """
    names = {
        "part": _part(month),
        "rest": sql.Identifier("history_months", f"{_name(month)}_rest"),
        "name": sql.Identifier(_name(month)),
        "first": sql.Literal(datetime(month.year, month.month, 1, tzinfo=UTC)),
        "following": sql.Literal(_following(month)),
    }
    try:
        with session.transaction():
            session.execute(ALONE)
            if not _is_there(session, month):
                return True
            if keep:
                _run(session, COPY, names, cutoff)
            session.execute(LOCK_TIMEOUT)
            _run(session, DETACH, names, cutoff)
            if keep:
                _run(session, REPLACE, names, cutoff)
    except psycopg.errors.LockNotAvailable:
        return False
    return True


def _run(session: Session, statements: str, names: dict[str, sql.Composable], cutoff: Cutoff) -> None:
    for statement in statements.split(";"):
        session.execute(sql.SQL(statement).format(**names), {"ended_before": cutoff.ended_before})


def _is_there(session: Session, month: date) -> bool:
    row = session.execute(MONTH_IS_THERE, (f"history_months.{_name(month)}",)).fetchone()
    return bool(row and row[0])


def _name(month: date) -> str:
    return f"m{month:%Y_%m}"


def _part(month: date) -> sql.Identifier:
    return sql.Identifier("history_months", _name(month))


def _following(month: date) -> datetime:
    return datetime(month.year + month.month // 12, month.month % 12 + 1, 1, tzinfo=UTC)
