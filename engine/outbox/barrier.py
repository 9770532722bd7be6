"""Wait for those that were under way when something was forbidden, and may not have seen it: claims, and enrolling.

A statement locks its tables before it takes its snapshot. So whoever does not hold the claims' lock on the outbox now
will see all that is committed now; and those who hold it are waited for. Nobody has to wait for us.
"""

import time
from collections.abc import Callable
from typing import Final

from engine.database import Database
from engine.errors import Unavailable

#: The mode in which a claim locks the outbox (FOR UPDATE); enrolling locks it in another.
CLAIMS: Final = """
SELECT virtualtransaction FROM pg_locks
WHERE locktype = 'relation' AND relation = 'outbox'::regclass AND mode = 'RowShareLock' AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid()
"""

#: Whoever has made an enrollment, or made one go on, and has not committed it; and who goes by an older snapshot.
WRITERS: Final = """
SELECT virtualtransaction FROM pg_locks
WHERE locktype = 'relation' AND relation = 'enrollments'::regclass AND mode IN ('RowShareLock', 'RowExclusiveLock')
    AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND pid <> pg_backend_pid()
UNION ALL
SELECT pid || ' since ' || xact_start FROM pg_stat_activity
WHERE datname = current_database() AND backend_xmin IS NOT NULL AND backend_type = 'client backend'
    AND pid <> pg_backend_pid()
"""

#: Real seconds between two looks; and how long a worker can hold rows that it has not begun, and more.
PAUSE: Final = 0.005
PATIENCE: Final = 30.0


def wait_for_claims(database: Database) -> None:
    """Return when every claim that may not have seen what is committed has ended: what it began is on its way.

    Raises:
        Unavailable: one does not end.
    """
    if not _wait(lambda: _who(database, CLAIMS), PATIENCE):
        raise Unavailable(
            "it is written down and in force, but a transaction that may have claimed rows before does not end:"
            " see pg_stat_activity"
        )


def wait_for_writers(database: Database, patience: float = PATIENCE) -> bool:
    """Return when every enrollment that may not have seen what is committed is there to be seen; False: not yet."""
    return _wait(lambda: _who(database, WRITERS), patience)


def _wait(look: Callable[[], set[str]], patience: float) -> bool:
    """Wait until those that there are now are gone, whoever comes meanwhile."""
    deadline = time.monotonic() + patience
    under_way = look()
    while under_way:
        if time.monotonic() > deadline:
            return False
        time.sleep(PAUSE)
        under_way &= look()
    return True


def _who(database: Database, query: str) -> set[str]:
    with database.transaction() as session:
        return {name for (name,) in session.execute(query.encode())}
