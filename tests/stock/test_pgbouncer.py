"""Through PgBouncer in transaction mode everything works but workers and migrations, which say so."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg
import pytest
from cli import Cli, ReadyCli, ready_server
from hostile import HOSTILE
from pydantic import SecretStr
from stage_site import Site
from stock import free_port, give, own_folder, program, running
from twilio_side import api, with_twilio
from world import World

import producers
from engine.database import Database
from engine.direct import is_direct
from engine.errors import InvalidInput
from engine.settings import Settings
from producers import enroller
from producers.bulk.batch import open_batch
from producers.enroll_event import EnrollEvent, publish_within

STEPS = """
sequence: hello
steps:
  - {key: first, type: sms, body: "Hi {{ contact.first_name }}"}
  - {key: ring, type: call, delay: 1 day, name: "Call {{ contact.first_name }}"}
"""

CONFIG = """
[databases]
* = host={host} port={port} user={user} password={password} {database}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
{more}
"""


@contextmanager
def own_pooler(database_url: str, more: str = "", database: str = "") -> Iterator[str]:
    """A PgBouncer before a database, whose sessions have settings that no careless program survives."""
    parts = urlsplit(database_url)
    path, name, port = program("pgbouncer"), parts.path.removeprefix("/"), free_port()
    with psycopg.connect(database_url, autocommit=True) as session:
        for setting, value in HOSTILE.items():
            if "timeout" not in setting and setting != "client_encoding":  # a pooler's sessions last, and are shared
                session.execute(f"ALTER DATABASE {name} SET {setting} = {value}".encode())
    with own_folder() as folder:
        config = folder / "pgbouncer.ini"
        config.write_text(
            CONFIG.format(
                host=parts.hostname,
                port=parts.port,
                user=parts.username,
                password=unquote(parts.password or ""),
                own=port,
                more=more,
                database=database,
            )
        )
        config.chmod(0o600)
        give(config)
        with running(folder, port, path, str(config)):
            yield f"postgresql://{parts.username}@127.0.0.1:{port}/{name}"


@pytest.fixture(params=["", "ignore_startup_parameters = options"], ids=["options refused", "options dropped"])
def pooled_url(request: pytest.FixtureRequest, database_url: str) -> Iterator[str]:
    """The test's database through a PgBouncer that refuses or drops what clients set when they connect."""
    with own_pooler(database_url, request.param) as url:
        yield url


@pytest.fixture
def pooled(pooled_url: str) -> Iterator[Database]:
    database = Database(pooled_url, name="cadenza-test")
    yield database
    database.close()


@pytest.fixture
def cli(settings: Settings, tmp_path: Path, pooled_url: str) -> Iterator[Cli]:
    """`cadenza` as it is run where only the pooler can be reached."""
    through = settings.model_copy(update={"database_url": SecretStr(pooled_url)})
    with ready_server() as server:
        yield ReadyCli(through, tmp_path, server)


def test_every_transaction_has_our_settings(pooled: Database, database_url: str) -> None:
    for _ in range(3):
        with pooled.transaction() as session:
            assert session.pooled
            assert session.prepare_threshold is None
            shown = dict(session.execute("SELECT name, setting FROM pg_settings").fetchall())
            assert (shown["search_path"], shown["DateStyle"], shown["TimeZone"]) == ("public", "ISO, MDY", "UTC")
            assert (shown["transaction_isolation"], shown["transaction_read_only"]) == ("read committed", "off")
            assert (shown["jit"], shown["standard_conforming_strings"]) == ("off", "on")
            for _ in range(10):  # more often than psycopg waits before it prepares
                assert session.execute("SELECT %s::int", (7,), prepare=True).fetchone() == (7,)
    with psycopg.connect(pooled.url, autocommit=True) as other:
        assert other.execute("SHOW search_path").fetchone() == ("pg_catalog",)  # nothing is left in the session


def test_what_fails_is_rolled_back_and_what_is_done_is_committed(pooled: Database) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero), pooled.transaction() as session:
        session.execute("INSERT INTO workspaces (key, name) VALUES ('lost', 'Lost')")
        session.execute("SELECT 1 / 0")
    with pooled.transaction() as session:
        session.execute("INSERT INTO workspaces (key, name) VALUES ('kept', 'Kept')")
    with pooled.transaction() as session:
        assert session.execute("SELECT key FROM workspaces ORDER BY id").fetchall() == [("default",), ("kept",)]


def test_the_urls_own_options_hold_too(pooled_url: str) -> None:
    database = Database(f"{pooled_url}?options=-c%20search_path%3Dmine,public", name="cadenza-test")
    with database.transaction() as session:
        assert session.execute("SHOW search_path").fetchone() == ("mine,public",)
    database.close()


def test_a_pooler_is_told_from_postgres_itself(database: Database, pooled: Database) -> None:
    assert is_direct(database)
    assert not is_direct(pooled)


def test_a_pooler_that_hides_is_found_by_two_locks(database_url: str) -> None:
    hides = "connect_query='SET cadenza.direct = on'"
    with own_pooler(database_url, "ignore_startup_parameters = options", hides) as url:
        database = Database(url, name="cadenza-test")
        with database.connect() as session:
            assert not session.pooled
        assert not is_direct(database)
        database.close()


@pytest.mark.parametrize("command", [["worker"], ["migrate"], ["migrate", "down"], ["up"]], ids=" ".join)
def test_workers_and_migrations_say_what_they_need(cli: Cli, command: list[str]) -> None:
    complaint = cli(*command).check(2).complaint
    assert "leads to a connection pooler" in complaint
    assert f"`cadenza {command[0]}` needs a URL that leads to Postgres itself" in complaint


def test_every_command_works_through_it(cli: Cli) -> None:
    cli.file("hello.yaml", STEPS)
    cli.file("list.csv", "phone,first_name\n+12025550101,Ann\n+12025550102,Ben\n12,Nobody\n")
    (cli.folder / "data").mkdir()
    commands: list[tuple[int, str]] = [
        (0, "workspace set default --quiet-hours off"),
        (0, "apply hello.yaml"),
        (3, "enroll hello list.csv --batch one"),
        (3, "enroll hello list.csv --batch one"),
        (3, "enroll hello list.csv --dry-run"),
        (0, "publish hello --phone +12025550103 --idempotency-key k"),
        (0, "publish hello --phone +12025550103 --idempotency-key k"),
        (0, "event custom --phone +12025550103 --name paid --key e"),
        (0, "status"),
        (0, "enrollments hello"),
        (0, "explain 1"),
        (0, "pause 1"),
        (0, "resume 1"),
        (0, "pause --sequence hello"),
        (0, "resume --sequence hello"),
        (0, "pause --workspace-wide"),
        (0, "resume --workspace-wide"),
        (0, "skip 1 first"),
        (0, "reschedule 1 ring --delay 3days"),
        (0, "tasks"),
        (0, "complete 1 ring"),
        (0, "cancel 2"),
        (0, "run-now 3"),
        (0, "clock"),
        (0, "review"),
        (0, "stale --days 1"),
        (0, "sequences"),
        (0, "sequence show hello"),
        (0, "sequence tag hello +tried"),
        (0, "sequence duplicate hello again"),
        (0, "migrate-enrollments hello --yes"),
        (0, "archive hello --yes"),
        (0, "unarchive hello"),
    ]
    for code, command in commands:
        ran = cli(*command.split(), "--json")
        assert (ran.code, command) == (code, command), ran
        json.loads(ran.out)


def test_bulk_runs_of_one_batch_never_overlap(world: World, pooled: Database, database_url: str) -> None:
    world.publish(STEPS)
    with open_batch(pooled, 1, 1, "one", "d"):
        with pytest.raises(InvalidInput, match="is running elsewhere"), open_batch(pooled, 1, 1, "one", "d"):
            pass
        direct = Database(database_url, name="cadenza-test")
        with pytest.raises(InvalidInput, match="is running elsewhere"), open_batch(direct, 1, 1, "one", "d"):
            pass
        direct.close()
    with open_batch(pooled, 1, 1, "one", "d") as batch:
        assert not batch.finished


def callers_connection(url: str) -> "psycopg.Connection[tuple[object, ...]]":
    """What a careful caller has behind a pooler: nothing prepared, and transactions of the kind that it needs."""
    connection = psycopg.connect(url, prepare_threshold=None)
    connection.read_only = False
    connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
    return connection


def test_many_producers_share_few_sessions(world: World, pooled_url: str, settings: Settings) -> None:
    """Some with servers of their own, some within the transactions of others; workers are connected directly."""
    world.publish(STEPS)
    through = settings.model_copy(update={"database_url": SecretStr(pooled_url)})

    def enroll(number: int) -> None:
        who = {"phone": f"+1202555{number:04}", "first_name": f"N{number}"}
        if number % 2:
            producers.enroll("hello", **who, settings=through)
            return
        with callers_connection(pooled_url) as mine:
            producers.enroll("hello", **who, settings=through, connection=mine)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(enroll, range(1, 41)))
    for servers in enroller._servers(pooled_url, through.redis_url.get_secret_value()):  # type: ignore[union-attr]
        servers.close()
    enroller._servers.cache_clear()
    assert world.query("SELECT count(*), count(DISTINCT contact_id) FROM enrollments") == [(40, 40)]


def test_what_is_enrolled_through_it_goes_out(site: Site, pooled_url: str) -> None:
    site.world.publish(STEPS)
    with site.working(sweep_seconds=3_600):
        with callers_connection(pooled_url) as mine:
            publish_within(mine, EnrollEvent("hello", phone="+12025550101", first_name="Ann"))
        site.until("sent", "pending")
    assert site.accepted() == {("+12025550101", "Hi Ann"): 1}


def test_the_api_works_through_it(world: World, pooled_url: str, settings: Settings) -> None:
    world.publish(STEPS)
    world.enroll("hello", phone="+12025550101")
    ((public_id,),) = world.query("SELECT public_id FROM workspaces")
    through = with_twilio(settings.model_copy(update={"database_url": SecretStr(pooled_url)}))
    with api(through, public_id) as twilio:
        assert twilio.send("GET", "/readyz").status == 200
        assert twilio.inbound("+12025550101", "STOP").status == 200
    assert world.query("SELECT channel, address, reason FROM suppressions") == [("sms", "+12025550101", "stop")]
    assert world.statuses() == ["cancelled", "cancelled"]
