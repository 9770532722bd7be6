"""Bring a database up to date, or back."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from schema.counted import counted

#: One migration at a time: an advisory lock with this key is held meanwhile.
MIGRATION_LOCK = 4_207_001


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def newest() -> str:
    """Name the newest revision that this code knows."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise LookupError("no migrations were found beside schema/migrate.py")
    return head


def current(connection: Connection) -> str | None:
    """Name the revision that the database is at; None: it has never been migrated."""
    return MigrationContext.configure(connection).get_current_revision()


def up(connection: Connection) -> str:
    """Bring the database up to the newest revision and name it."""
    _lock(connection)
    command.upgrade(_config(connection), "head")
    connection.execute(text("SELECT make_history_months()"))
    return newest()


def down(connection: Connection, steps: int) -> str | None:
    """Go back by that many revisions and name the one it is at then.

    Raises:
        ValueError: it has not that many revisions.
    """
    _lock(connection)
    history = list(ScriptDirectory.from_config(_config()).iterate_revisions(current(connection) or "base", "base"))
    if steps > len(history):
        raise ValueError(f"the database is only {counted(len(history), 'revision')} up; it cannot go down by {steps}")
    command.downgrade(_config(connection), f"-{steps}")
    return current(connection)


def _lock(connection: Connection) -> None:
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
