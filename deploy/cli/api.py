"""`cadenza api`: the HTTP API in the foreground, ended cleanly by SIGTERM or Ctrl-C."""

from typing import Annotated, Final

import typer

from deploy.cli.output import note, say
from deploy.cli.processes import require_migrated
from deploy.cli.serving import serving
from deploy.cli.session import opened
from deploy.cli.signals import told_to_stop
from deploy.sandbox.settings import with_sandbox
from deploy.sandbox.state import find_sandbox
from engine.errors import Unavailable
from engine.settings import Settings

#: Real seconds between two looks at the server.
LOOK: Final = 0.5


def api(
    host: Annotated[str | None, typer.Option(help="An address of this machine; CADENZA_API_HOST otherwise.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="0: a free one; CADENZA_API_PORT otherwise.")
    ] = None,
) -> None:
    """Answer HTTP: webhooks of Twilio, and probes; until told to stop."""
    with told_to_stop() as stop, opened() as session:
        given = {"api_host": host, "api_port": port}
        settings = session.settings.model_copy(
            update={name: value for name, value in given.items() if value is not None}
        )
        with serving(_with_sandbox(settings), require_migrated) as (server, in_force):
            _warn(in_force)
            say(f"api {server.url}")
            while not stop.wait(LOOK):
                if not server.serving:
                    raise Unavailable("api: the server has ended by itself; see the log")


def _with_sandbox(settings: Settings) -> Settings:
    """The settings with the sandbox's Twilio account, where none is set and a sandbox runs; never in production."""
    unset = settings.twilio_account_sid is None and settings.environment != "production"
    sandbox = find_sandbox(settings.data_dir) if unset else None
    return settings if sandbox is None else with_sandbox(settings, sandbox)


def _warn(settings: Settings) -> None:
    if settings.twilio_account_sid is None:
        note("cadenza: no Twilio account is set and no sandbox runs: webhooks are answered with 503")
    elif settings.public_url is None:
        note("cadenza: CADENZA_PUBLIC_URL is not set: webhooks are answered with 503")
