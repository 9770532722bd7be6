"""`cadenza worker` and `cadenza up`: processes in the foreground, ended cleanly by SIGTERM or Ctrl-C."""

import os
import re
from contextlib import ExitStack
from importlib.util import find_spec
from typing import Annotated
from urllib.parse import urlsplit

import typer
from pydantic import SecretStr

from deploy.cli.database import bring_up
from deploy.cli.missing_channels import warn_of_missing_channels
from deploy.cli.output import note, say
from deploy.cli.serving import serving
from deploy.cli.session import opened
from deploy.cli.signals import told_to_stop
from deploy.sandbox.options import SandboxOptions
from deploy.sandbox.process import start_sandbox
from deploy.sandbox.settings import with_sandbox
from deploy.sandbox.state import find_sandbox
from engine.database import Database
from engine.direct import require_direct
from engine.errors import NotMigrated, Unavailable
from engine.settings import REQUIRED_BY_CHANNEL, Settings
from engine.wakeups import Wakeups, WakeupsUnavailable
from schema import migrate as migrations
from schema.counted import counted
from workers.supervisor import Supervisor

Processes = Annotated[int, typer.Option(min=1, max=256, help="Worker processes; one for each core otherwise.")]
Threads = Annotated[int, typer.Option(min=1, max=64, help="Threads of dramatiq in each.")]

#: What stands for a secret.
MASK = "********"

#: libpq takes a password among the parameters too: `?password=...`, `?sslpassword=...`.
_PASSWORD = re.compile(r"(?<=password=).*", re.IGNORECASE)

DEFAULT_PROCESSES = os.cpu_count() or 1
DEFAULT_THREADS = 4


def worker(processes: Processes = DEFAULT_PROCESSES, threads: Threads = DEFAULT_THREADS) -> None:
    """Take work out: send what is due, until told to stop."""
    with told_to_stop() as stop, opened() as session:
        require_direct(session.database, "`cadenza worker`")
        require_migrated(session.database)
        _warn_without_redis(session.wakeups)
        settings = with_providers(session.settings)
        warn_of_missing_channels(session.database, settings)
        Supervisor(settings, processes, threads).run(
            stop,
            lambda metrics: say(f"{counted(processes, 'worker process', 'worker processes')}; metrics at {metrics}"),
        )


def up(processes: Processes = DEFAULT_PROCESSES, threads: Threads = DEFAULT_THREADS) -> None:
    """Run everything on this machine: servers and sandbox where none are configured, workers and the API."""
    with told_to_stop() as stop, ExitStack() as stack:
        session = stack.enter_context(opened())
        settings = session.settings
        require_direct(session.database, "`cadenza up`")
        bring_up(session.database)
        say(f"Postgres   {_shown(settings.database_url)}")
        say(f"Redis      {_shown(settings.redis_url)}")
        if needs_sandbox(settings):
            require_sandbox()
            sandbox = stack.enter_context(start_sandbox(SandboxOptions(data_dir=settings.data_dir))).sandbox
            settings = with_sandbox(settings, sandbox)
            say(f"sandbox    Twilio API {sandbox.http_url}, SMTP {sandbox.smtp_url}")
            say(f"           ledger {sandbox.ledger}")
        warn_of_missing_channels(session.database, settings)
        twilio_is_here = session.settings.twilio_account_sid is None
        server, settings = stack.enter_context(serving(settings, require_migrated, twilio_is_here=twilio_is_here))
        Supervisor(settings, processes, threads).run(
            stop,
            lambda metrics: say(
                f"workers    {counted(processes, 'process', 'processes')}, metrics {metrics}\n"
                f"api        {server.url}\nready: Ctrl-C ends it"
            ),
        )


def require_migrated(database: Database) -> None:
    """Make sure that the database has the tables of this version.

    Raises:
        NotMigrated: it has not.
    """
    with database.transaction() as session:
        row = session.execute("SELECT to_regclass('alembic_version')").fetchone()
        known = row is not None and row[0] is not None
        found = session.execute("SELECT version_num FROM alembic_version").fetchone() if known else None
    if found is None or found[0] != migrations.newest():
        raise NotMigrated(
            f"the database is at revision {found[0] if found else 'none'}, this version needs {migrations.newest()}:"
            " run `cadenza migrate`"
        )


def needs_sandbox(settings: Settings) -> bool:
    """Whether a provider is unset, so that the sandbox stands in for it; in production it never does."""
    return settings.environment != "production" and settings.configured_channels != REQUIRED_BY_CHANNEL.keys()


def require_sandbox() -> None:
    """Make sure that the package is there which only the sandbox needs.

    Raises:
        Unavailable: it is not.
    """
    if find_spec("aiosmtpd") is None:
        raise Unavailable(
            "the sandbox needs aiosmtpd: install Cadenza with its extra `local`, or set"
            " CADENZA_TWILIO_ACCOUNT_SID and CADENZA_SMTP_URL"
        )


def with_providers(settings: Settings) -> Settings:
    """The settings with the running sandbox in place of providers that are unset.

    Raises:
        Unavailable: no provider is set and no sandbox runs; in production nobody needs one.
    """
    if not needs_sandbox(settings):
        return settings
    sandbox = find_sandbox(settings.data_dir)
    if sandbox is None and settings.configured_channels:
        return settings
    if sandbox is None:
        raise Unavailable(
            "no provider is configured and no sandbox runs: start `cadenza sandbox` (or `cadenza up`,"
            " which does it all), or set CADENZA_TWILIO_ACCOUNT_SID and CADENZA_SMTP_URL"
        )
    return with_sandbox(settings, sandbox)


def _warn_without_redis(wakeups: Wakeups) -> None:
    try:
        wakeups.check()
    except WakeupsUnavailable as error:
        note(f"cadenza: {error}; nothing is lost, and the workers go on as soon as it is back")


def _shown(url: SecretStr | None) -> str:
    return "-" if url is None else without_password(url.get_secret_value())


def without_password(url: str) -> str:
    """A URL as it may be shown; one that can't be read is not."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return MASK
    user, at, where = parts.netloc.rpartition("@")
    name, colon, _ = user.partition(":")
    query = "&".join(_PASSWORD.sub(MASK, setting) for setting in parts.query.split("&"))
    shown = parts._replace(netloc=f"{name}{colon}{MASK if colon else ''}{at}{where}", query=query).geturl()
    return shown if MASK in shown else url
