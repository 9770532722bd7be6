"""What a command works with: settings, servers, the database and the wake-ups, closed when it ends."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from deploy.cli.output import note
from deploy.local.servers import local_servers
from engine.database import Database
from engine.errors import Unavailable
from engine.logs import set_up_logs
from engine.settings import Settings, read_settings
from engine.wakeups import Due, Wakeups, WakeupsUnavailable


@dataclass(frozen=True, slots=True)
class Open:
    """Settings whose servers run, and connections to them."""

    settings: Settings
    database: Database
    wakeups: Wakeups


def settings_of(workspace: str | None = None) -> Settings:
    """The settings of this process, with what the command line says on top; logs are set up by them."""
    settings = read_settings()
    set_up_logs(settings.log_level)
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # what it lost is said by the error that follows
    return settings.model_copy(update={"workspace": workspace}) if workspace else settings


@contextmanager
def opened(workspace: str | None = None, *, check: bool = True) -> Iterator[Open]:
    """Run the servers that are not configured, and connect; unless told otherwise, make sure that Postgres answers.

    Raises:
        InvalidInput: a setting can't be used.
        Unavailable: Postgres can't be reached or refuses the credentials.
    """
    with ExitStack() as stack:
        settings = stack.enter_context(local_servers(settings_of(workspace)))
        database = Database(required(settings.database_url), name="cadenza command")
        stack.callback(database.close)
        wakeups = Wakeups(required(settings.redis_url))
        stack.callback(wakeups.close)
        if check:
            database.check()
        yield Open(settings, database, wakeups)


def wake(session: Open, due: Sequence[Due], stands: str) -> None:
    """Schedule wake-ups after a COMMIT. If Redis is away, a note says what `stands` all the same."""
    try:
        session.wakeups.schedule(due)
    except WakeupsUnavailable as error:
        note(f"cadenza: {error}; {stands}, and the sweeper makes up for the wake-ups")


def required(url: SecretStr | None) -> str:
    """A URL that the servers were to give.

    Raises:
        Unavailable: it is unset all the same.
    """
    if url is None:
        raise Unavailable(
            "no server is configured and none was started: set CADENZA_DATABASE_URL and CADENZA_REDIS_URL"
        )
    return url.get_secret_value()
