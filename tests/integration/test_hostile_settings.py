"""Everything works whatever an administrator has set for the role; and nothing of a caller's session is changed."""

import secrets
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import sqlalchemy
from alembic.script import ScriptDirectory
from hostile import HOSTILE, HOSTILE_17
from psycopg.rows import dict_row, tuple_row
from pydantic import SecretStr

from deploy.cli.database import _go_down as go_down
from deploy.cli.database import bring_up
from engine.database import Database
from engine.errors import InvalidInput
from engine.outbox.counts import rows_by_status
from producers.enroll_event import EnrollEvent, publish_within
from producers.explaining import explain_enrollment
from schema import migrate

#: What a caller's own transaction keeps: how long its statements may take, and whether it may write, is up to it.
CALLERS_OWN = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout")

STEPS = """
sequence: both
steps:
  - {key: first, type: sms, body: "Hi {{ contact.first_name }}, back\\\\slash"}
  - {key: second, type: email, delay: 1 day, subject: "Hi", text: "{{ custom.price }}"}
"""

ANN = {
    "email": "ann@example.com",
    "phone": "+12025550101",
    "first_name": "Zoë \\ O'Hara",
    "attributes": {"price": 0.1, "nothing": None},
}


@pytest.fixture
def hostile_url(database_url: str) -> Iterator[str]:
    """The test's database, as a role of its own that owns it and for which everything is set at once."""
    role, password = f"hostile_{secrets.token_hex(6)}", secrets.token_hex(12)
    name = urlsplit(database_url).path.removeprefix("/")
    with psycopg.connect(database_url, autocommit=True) as session:
        session.execute(f"CREATE ROLE {role} LOGIN SUPERUSER PASSWORD '{password}'".encode())
        newer = HOSTILE_17 if session.info.server_version >= 170_000 else {}
        for setting, value in {**HOSTILE, **newer}.items():
            session.execute(f"ALTER ROLE {role} SET {setting} = {value}".encode())
        session.execute(f"ALTER DATABASE {name} SET search_path = nowhere".encode())
    parts = urlsplit(database_url)
    where = parts.netloc.rpartition("@")[2]
    yield parts._replace(netloc=f"{role}:{password}@{where}").geturl()
    with psycopg.connect(database_url, autocommit=True) as session:
        session.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())


@pytest.fixture
def hostile(hostile_url: str) -> Iterator[Database]:
    database = Database(hostile_url, name="cadenza-test")
    yield database
    database.close()


def test_a_session_has_our_settings_whatever_the_role_has(hostile: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGTZ", "Asia/Kathmandu")
    monkeypatch.setenv("PGDATESTYLE", "German")
    monkeypatch.setenv("PGOPTIONS", "-c statement_timeout=1")
    with hostile.transaction() as session:
        shown = dict(session.execute("SELECT name, setting FROM pg_settings").fetchall())
    assert shown["transaction_isolation"] == "read committed"
    assert shown["transaction_read_only"] == "off"
    assert (shown["search_path"], shown["DateStyle"], shown["TimeZone"]) == ("public", "ISO, MDY", "UTC")
    for timeout in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
        assert shown[timeout] == "0"
    assert shown.get("transaction_timeout", "0") == "0"
    assert shown["jit"] == "off"


def test_the_urls_own_options_choose_the_schema(hostile_url: str) -> None:
    options = "-c%20search_path%3Dmine,public%20--statement-timeout%3D9s%20-cdatestyle%3DGerman"
    database = Database(f"{hostile_url}?options={options}", name="cadenza-test", options="-c lock_timeout=7s")
    with database.transaction() as session:
        shown = [session.execute(f"SHOW {name}".encode()).fetchone() for name in ("search_path", "statement_timeout")]
        shown += [session.execute(f"SHOW {name}".encode()).fetchone() for name in ("lock_timeout", "datestyle")]
    database.close()
    assert shown == [("mine,public",), ("9s",), ("7s",), ("ISO, MDY",)]


def test_options_that_set_nothing_are_refused(hostile_url: str) -> None:
    with pytest.raises(InvalidInput, match="only have settings"):
        Database(f"{hostile_url}?options=-e", name="cadenza-test")


def test_messages_go_out_and_are_explained(site: Any, hostile_url: str, hostile: Database) -> None:
    site.world.database = hostile
    site.world.publish(STEPS)
    site.settings = site.settings.model_copy(update={"database_url": SecretStr(hostile_url)})
    with site.working():
        site.enroll("both", **ANN)
        site.until("sent", "pending")
        site.jump(days=1)
        site.until("sent", "sent")
    ((enrollment,),) = site.world.query("SELECT id FROM enrollments")
    explained = explain_enrollment(hostile, "default", enrollment)
    assert [step["status"] for step in explained.steps] == ["sent", "sent"]
    assert site.accepted() == {("+12025550101", "Hi Zoë \\ O'Hara, back\\slash"): 1, ("ann@example.com", "Hi"): 1}
    with hostile.transaction() as session:
        assert {status: count for status, count in rows_by_status(session).items() if count} == {"sent": 2}


def test_migrations_go_up_and_down(hostile: Database) -> None:
    everything = len(list(ScriptDirectory.from_config(migrate._config()).walk_revisions()))
    assert go_down(hostile, everything, yes=True) is None
    assert bring_up(hostile) == migrate.newest()
    with hostile.transaction() as session:
        assert session.execute("SELECT to_regclass('public.outbox') IS NOT NULL").fetchone() == (True,)


@pytest.mark.parametrize("kind", ["psycopg", "sqlalchemy"])
def test_a_callers_session_is_as_it_was(world: Any, hostile_url: str, kind: str) -> None:
    def connect() -> "psycopg.Connection[Any]":
        options = " ".join(f"-c {name}=0" for name in CALLERS_OWN) + " -c default_transaction_read_only=off"
        return psycopg.connect(hostile_url, options=options)

    world.publish(STEPS)
    event = EnrollEvent("both", idempotency_key="one", **ANN)
    engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=connect, poolclass=sqlalchemy.NullPool)
    with connect() as mine, engine.connect() as business:
        mine.row_factory = dict_row
        given = mine if kind == "psycopg" else business
        session = mine if kind == "psycopg" else business.connection.driver_connection
        before = settings_of(session)
        assert before["DateStyle"] == "SQL, DMY"
        made = publish_within(given, event)
        with pytest.raises(InvalidInput):
            publish_within(given, EnrollEvent("nowhere", **ANN))
        assert settings_of(session) == before
        given.commit()
        assert publish_within(given, event) == type(made)(made.enrollment_id, created=False, wakeups=[])
        given.rollback()
        assert settings_of(session) == before
    engine.dispose()
    assert world.statuses() == ["pending", "pending"]
    assert world.query("SELECT first_name, attributes->'price' FROM contacts") == [(ANN["first_name"], 0.1)]


def settings_of(session: Any) -> dict[str, str]:
    """All settings of a session, and how it reads rows. Those of PL/pgSQL are there when it was used once."""
    rows = (
        session.cursor(row_factory=tuple_row)
        .execute("SELECT name, setting FROM pg_settings WHERE name NOT LIKE 'plpgsql.%'")
        .fetchall()
    )
    return {"row_factory": session.row_factory.__name__, **dict(rows)}


def test_a_callers_transaction_that_may_not_write_is_refused(world: Any, database_url: str) -> None:
    world.publish(STEPS)
    with psycopg.connect(database_url) as connection:
        connection.read_only = True
        with pytest.raises(InvalidInput, match="read-only"):
            publish_within(connection, EnrollEvent("both", **ANN))
