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

from deploy.cli.confirming import Yes, confirm
from deploy.cli.output import Json, report
from deploy.cli.session import opened
from engine.database import Database, first_line
from engine.direct import require_direct
from engine.errors import InvalidInput, NotMigrated, Unavailable
from schema import migrate as migrations
from schema.losing import losses

#: The oldest Postgres that is supported.
OLDEST_POSTGRES = 150_000


class Direction(StrEnum):
    """Where to."""

    UP = "up"
    DOWN = "down"


def migrate(
    direction: Annotated[Direction, typer.Argument(help="up: to the newest revision; down: back.")] = Direction.UP,
    steps: Annotated[int, typer.Argument(metavar="N", min=1, help="With down: how many revisions.")] = 1,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Bring the database up to date, or go back, after telling what would be lost."""
    with opened() as session:
        if direction is Direction.UP:
            revision: str | None = bring_up(session.database)
        else:
            revision = _go_down(session.database, steps, yes)
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


def _go_down(database: Database, steps: int, yes: bool) -> str | None:
    require_direct(database, "`cadenza migrate`")
    try:
        with migrating(database) as connection:
            lost = losses(connection, steps)
        if lost:
            confirm(f"this loses for ever: {'; '.join(map(str, lost))}", yes)
        with migrating(database) as connection:
            return migrations.down(connection, steps)
    except ValueError as error:
        raise InvalidInput(str(error)) from None


def _refused(error: sqlalchemy.exc.IntegrityError) -> str:
    """Say in words that rows do not fit an older revision; the server's own words have none of that."""
    table = constraint = None
    if isinstance(error.orig, psycopg.Error):
        table, constraint = error.orig.diag.table_name, error.orig.diag.constraint_name
    return (
        f"nothing was changed: the older revision can't hold what is in {table or 'a table'}"
        f" ({constraint or 'a rule of it'}): it knows less than what was written since. Go back by fewer revisions, or"
        " restore a backup from before"
    )


@contextmanager
def migrating(database: Database) -> Iterator[sqlalchemy.Connection]:
    """A SQLAlchemy connection for one transaction.

    Raises:
        Unavailable: the role may not do what the migrations do; the message is the database's.
        InvalidInput: rows do not fit the revision.
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
    except sqlalchemy.exc.IntegrityError as error:
        raise InvalidInput(_refused(error)) from None
    except sqlalchemy.exc.DBAPIError as error:
        if isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
            raise Unavailable(
                f"Postgres: {first_line(error.orig)}; `cadenza migrate` needs a role that owns the database:"
                " an administrator can run ALTER DATABASE ... OWNER TO ..."
            ) from None
        raise Unavailable(f"Postgres: {first_line(error.orig or error)}") from None
