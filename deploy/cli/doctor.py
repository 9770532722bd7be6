"""`cadenza doctor`: prints what is in force, secrets masked, and tests each connection."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import psycopg
import typer
from pydantic import SecretStr

from deploy.cli.check_orphans import check_orphans
from deploy.cli.check_servers import check_connection, check_postgres, check_redis
from deploy.cli.clock import describe
from deploy.cli.missing_channels import missing_channel
from deploy.cli.output import Json, report, table
from deploy.cli.processes import MASK, require_migrated, with_providers, without_password
from deploy.cli.session import Open, opened
from engine.clock import WRONG_CLOCK, SequenceClock
from engine.database import Database, first_line
from engine.errors import CadenzaError, Unavailable
from engine.outbox.dispatch import read_pulse
from engine.settings import PREFIX, Settings
from producers.channels_in_use import channels_in_use, senders_in_use
from schema.counted import counted
from workers.channels import open_channels


@dataclass(frozen=True, slots=True)
class Finding:
    """What a test found."""

    name: str
    well: bool
    says: str


def doctor(
    with_dns: Annotated[
        bool, typer.Option("--dns", help="Look at the senders' DNS too: SPF, DKIM, DMARC and their alignment.")
    ] = False,
    dkim_selector: Annotated[
        str | None, typer.Option(help="The DKIM selector that your mail provider gave you.")
    ] = None,
    resolver: Annotated[
        str | None, typer.Option(metavar="HOST[:PORT]", help="The DNS server to ask; that of this machine otherwise.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check the set-up: settings, database, Redis and providers."""
    with opened(check=False) as session:
        findings = _examine(session)
        if with_dns:
            findings += _senders(session, findings[0].well, dkim_selector, resolver)
        shown = _in_force(session.settings)
    well = all(finding.well for finding in findings)
    report(
        as_json,
        {
            "settings": shown,
            "checks": [{"name": f.name, "ok": f.well, "says": f.says} for f in findings],
            "ok": well,
        },
        lambda: (
            table(list(shown.items()))
            + "\n\n"
            + table([(f.name, ("ok      " if f.well else "FAILED  ") + f.says) for f in findings])
        ),
    )
    if not well:
        raise typer.Exit(1)


def _examine(session: Open) -> list[Finding]:
    postgres = _check("Postgres", lambda: check_postgres(session.database))
    within: list[tuple[str, Callable[[], str]]] = [
        ("connection", lambda: check_connection(session.database)),
        ("migrations", lambda: _migrated(session)),
        ("clocks", lambda: _clocks(session)),
        ("backups", lambda: _backups(session)),
        ("orphans", lambda: check_orphans(session.database)),
    ]
    beside: list[tuple[str, Callable[[], str]]] = [
        ("Redis", lambda: check_redis(session)),
        ("SMS", lambda: _channel(session, "sms")),
        ("email", lambda: _channel(session, "email")),
    ]
    checks = [*within, *beside] if postgres.well else beside
    return [postgres, *(_check(name, check) for name, check in checks)]


def _senders(session: Open, has_database: bool, selector: str | None, place: str | None) -> list[Finding]:
    """Look at the DNS of every sender of email: that of the settings, and those of workspaces and sequences."""
    from deploy.cli.check_dns import SenderDns, WeakSender, resolver_at  # the library takes a moment to import

    senders = [session.settings.email_from]
    if has_database:
        with session.database.transaction() as transaction:
            senders += senders_in_use(transaction)
    asked = resolver_at(place)
    findings: list[Finding] = []
    domains: dict[str, SenderDns] = {}
    for sender in senders:
        one = SenderDns(sender, selector, asked)
        try:
            domains.setdefault(one.domain, one)
        except WeakSender as error:
            findings.append(Finding(f"sender {sender!r}", False, str(error)))
    return [*findings, *(_check(name, check) for one in domains.values() for name, check in one.checks())]


def _check(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, check())
    except (CadenzaError, psycopg.Error) as error:
        return Finding(name, False, first_line(error))


def _clocks(session: Open) -> str:
    """Compare this machine's clock with the database's; nothing of ours depends on the former."""
    clock = SequenceClock(session.database)
    apart = clock.apart
    if apart > WRONG_CLOCK:
        raise Unavailable(f"this machine's clock and the database's are {apart:.0f} seconds apart: mend the wrong one")
    return f"this machine and the database agree within {max(apart, 0.1):.1f} s; {describe(clock)}"


def _channel(session: Open, name: str) -> str:
    """Connect to the provider and show the credentials; nothing is sent."""
    settings = with_providers(session.settings)
    if name not in settings.configured_channels:
        return _without(session.database, name)
    channels = open_channels(settings)
    try:
        says = channels[name].check()
    finally:
        for channel in channels.values():
            asyncio.run(channel.close())
    return says + (" (the sandbox)" if name not in session.settings.configured_channels else "")


def _without(database: Database, channel: str) -> str:
    """Return that nothing needs a channel that is not configured.

    Raises:
        Unavailable: a published sequence does.
    """
    with database.transaction() as transaction:
        sequences = channels_in_use(transaction).get(channel)
    if sequences:
        raise Unavailable(missing_channel(channel, sequences))
    return "not configured, no published sequence needs it"


def _migrated(session: Open) -> str:
    require_migrated(session.database)
    return "the tables are those of this version"


def _backups(session: Open) -> str:
    """Compare the heartbeat that Redis knows with the database's (engine/outbox/dispatch.py)."""
    with session.database.transaction() as transaction:
        database = read_pulse(transaction).database
    known = session.wakeups.known_beat(str(database))
    with session.database.transaction() as transaction:  # anew: Redis knows it of the database
        behind = known - read_pulse(transaction).beat
    if behind > 0:
        raise Unavailable(
            f"the database went back in time, by {counted(behind, 'heartbeat')}: it was restored from a backup. The"
            " workers hold what fell due since; decide with `cadenza review`"
        )
    return "the database is not an older copy of itself"


def _in_force(settings: Settings) -> dict[str, Any]:
    """The settings as variables; of secrets only that they are set, of URLs all but the password."""
    shown: dict[str, Any] = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            value = without_password(value.get_secret_value()) if name.endswith("_url") else MASK
        shown[PREFIX + name.upper()] = "" if value is None else str(value)
    return shown
