"""`cadenza migrate`."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated

import psycopg
import sqlalchemy
import typer
from alembic.script.revision import RevisionError
from alembic.util import CommandError

from deploy.cli.output import Json, report
from deploy.cli.session import opened
from engine.database import Database, first_line
from engine.direct import require_direct
from engine.errors import InvalidInput, NotMigrated, Unavailable
from schema import migrate as migrations

#: The oldest Postgres that is supported.
OLDEST_POSTGRES = 150_000


class Direction(StrEnum):
    """Where to."""

    UP = "up"
    DOWN = "down"


def migrate(
    direction: Annotated[Direction, typer.Argument(help="up: to the newest revision; down: back.")] = Direction.UP,
    steps: Annotated[int, typer.Argument(metavar="N", min=1, help="With down: how many revisions.")] = 1,
    as_json: Json = False,
) -> None:
    """Bring the database up to date, or go back."""
    with opened() as session:
        if direction is Direction.UP:
            revision: str | None = bring_up(session.database)
        else:
            revision = _go_down(session.database, steps)
    report(as_json, {"revision": revision}, lambda: f"the database is at revision {revision or 'base (empty)'}")


def bring_up(database: Database) -> str:
    """Bring the database up to the newest revision and name it.

    Raises:
        InvalidInput: a connection pooler stands between.
        Unavailable: the server is too old, or the role may not do it.
    """
    require_direct(database, "`cadenza migrate`")
    with migrating(database) as connection:
        version = connection.connection.driver_connection.info.server_version  # type: ignore[union-attr]
        if version < OLDEST_POSTGRES:
            raise Unavailable(f"Postgres {version // 10_000} is too old: Cadenza needs 15 or newer")
        return migrations.up(connection)


def _go_down(database: Database, steps: int) -> str | None:
    require_direct(database, "`cadenza migrate`")
    try:
        with migrating(database) as connection:
            return migrations.down(connection, steps)
    except ValueError as error:
        raise InvalidInput(str(error)) from None


@contextmanager
def migrating(database: Database) -> Iterator[sqlalchemy.Connection]:
    """A SQLAlchemy connection for one transaction.

    Raises:
        Unavailable: the role may not do what the migrations do; the message is the database's.
        NotMigrated: the database is at a revision that is none of ours.
    """
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: database.connect(autocommit=False), poolclass=sqlalchemy.NullPool
    )
    try:
        with engine.begin() as connection:
            yield connection
    except (CommandError, RevisionError) as error:
        raise NotMigrated(
            f"the database is at a revision that this version does not know ({first_line(error)}):"
            " a newer Cadenza has migrated it, use that one"
        ) from None
    except sqlalchemy.exc.DBAPIError as error:
        if isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
            raise Unavailable(
                f"Postgres: {first_line(error.orig)}; `cadenza migrate` needs a role that owns the database:"
                " an administrator can run ALTER DATABASE ... OWNER TO ..."
            ) from None
        raise Unavailable(f"Postgres: {first_line(error.orig or error)}") from None
