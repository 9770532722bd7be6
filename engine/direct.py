"""Whether a database's URL leads to Postgres itself, as workers and migrations need it to."""

import secrets
from typing import Final

from engine.database import Database
from engine.errors import InvalidInput

#: Session locks, LISTEN and the settings of a session work with none of them between.
SAYS: Final = (
    "CADENZA_DATABASE_URL leads to a connection pooler (PgBouncer?) that does not keep sessions apart:"
    " {command} needs a URL that leads to Postgres itself; the API and all that enrolls can keep this one"
)

TAKE: Final = "SELECT pg_try_advisory_lock(%s)"


def is_direct(database: Database) -> bool:
    """Return whether two connections are two sessions, with the settings that they were opened with.

    Raises:
        Unavailable: the server can't be reached or refuses the credentials.
    """
    key = secrets.randbits(62)
    with database.connect() as holder:
        if holder.pooled:
            return False
        holder.execute(TAKE, (key,))
        with database.connect() as other:  # a session that has a lock can take it again
            return other.execute(TAKE, (key,)).fetchone() == (False,)


def require_direct(database: Database, command: str) -> None:
    """Make sure that the database's URL leads to Postgres itself.

    Raises:
        InvalidInput: a pooler stands between.
        Unavailable: the server can't be reached or refuses the credentials.
    """
    if not is_direct(database):
        raise InvalidInput(SAYS.format(command=command))
