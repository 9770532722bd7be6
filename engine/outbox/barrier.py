"""Wait for the claims that were under way when something was forbidden: they may not have seen it.

A statement locks its tables before it takes its snapshot. So whoever does not hold the claims' lock on the outbox now
will see all that is committed now; and those who hold it are waited for. Nobody has to wait for us.
"""

import time
from typing import Final

from engine.database import Database
from engine.errors import Unavailable

#: The mode in which a claim locks the outbox (FOR UPDATE); enrolling locks it in another.
CLAIMS: Final = """
SELECT virtualtransaction FROM pg_locks
WHERE locktype = 'relation' AND relation = 'outbox'::regclass AND mode = 'RowShareLock' AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid()
"""

#: Real seconds between two looks; and how long a worker can hold rows that it has not begun, and more.
PAUSE: Final = 0.005
PATIENCE: Final = 30.0


def wait_for_claims(database: Database) -> None:
    """Return when every claim that may not have seen what is committed has ended: what it began is on its way.

    Raises:
        Unavailable: one does not end.
    """
    deadline = time.monotonic() + PATIENCE
    under_way = _claims(database)
    while under_way:
        if time.monotonic() > deadline:
            raise Unavailable(
                "it is written down and in force, but a transaction that may have claimed rows before does not end:"
                " see pg_stat_activity"
            )
        time.sleep(PAUSE)
        under_way &= _claims(database)


def _claims(database: Database) -> set[str]:
    with database.transaction() as session:
        return {name for (name,) in session.execute(CLAIMS)}
