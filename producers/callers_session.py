"""A caller's own transaction, lent to us: our settings hold for our statements, and the caller's for all others."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from psycopg import Cursor
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from engine.database import Session
from engine.errors import InvalidInput
from engine.session_settings import PREFERRED, REQUIRED

#: How long a statement may take and wait is up to whose transaction it is.
SETTINGS: Final = {
    "search_path": PREFERRED["search_path"],
    "client_encoding": "UTF8",
    **REQUIRED,
}

BORROW: Final = """
WITH before AS MATERIALIZED (
    SELECT name, wanted, current_setting(name) AS value
    FROM unnest(%(names)s::text[], %(wanted)s::text[]) AS asked (name, wanted)
)
SELECT name, value, set_config(name, wanted, true), current_setting('transaction_read_only') FROM before
"""
GIVE_BACK: Final = (
    "SELECT set_config(name, value, true) FROM unnest(%(names)s::text[], %(values)s::text[]) AS b (name, value)"
)


@contextmanager
def lent(session: Session) -> Iterator[Session]:
    """Set for a while what our statements rely on; one round trip before them, and one after.

    Raises:
        InvalidInput: the transaction is read-only.
    """
    row_factory, cursor_factory = session.row_factory, session.cursor_factory
    session.row_factory, session.cursor_factory = tuple_row, Cursor
    before = session.execute(BORROW, {"names": list(SETTINGS), "wanted": list(SETTINGS.values())}).fetchall()
    try:
        if before[0][3] == "on":
            raise InvalidInput("connection: its transaction is read-only; begin one that may write")
        yield session
    finally:
        if session.info.transaction_status == TransactionStatus.INTRANS:  # a failed one can only be rolled back
            session.execute(GIVE_BACK, {"names": [row[0] for row in before], "values": [row[1] for row in before]})
        session.row_factory, session.cursor_factory = row_factory, cursor_factory
