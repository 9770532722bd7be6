"""The migrations make exactly the declared tables, and take everything away again."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg
import pytest
import sqlalchemy

from engine.settings import Settings
from schema import migrate
from schema.tables import metadata

#: What Alembic keeps for itself.
OTHERS: Final = ("alembic_version",)

COLUMNS: Final = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
    pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') AND a.attnum > 0
    AND NOT a.attisdropped AND c.relname <> ALL (%s)
ORDER BY c.relname, a.attnum
"""
CONSTRAINTS: Final = """
SELECT c.conrelid::regclass::text, c.conname, c.contype, pg_get_constraintdef(c.oid), obj_description(c.oid)
FROM pg_constraint c
WHERE c.connamespace = 'public'::regnamespace AND c.conrelid::regclass::text <> ALL (%s) AND c.contype <> 'n'
ORDER BY 1, 2
"""
INDEXES: Final = """
SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> ALL (%s)
ORDER BY 1, 2
"""
TABLES: Final = """
SELECT c.relname, c.relkind, c.relpersistence, c.relrowsecurity, c.reloptions::text, obj_description(c.oid, 'pg_class')
FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S') AND c.relname <> ALL (%s)
ORDER BY 1
"""
#: What the tables do not declare: functions, triggers and types of our own.
BESIDES: Final = """
SELECT 'function', p.proname::text FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
UNION ALL SELECT 'trigger', t.tgname::text FROM pg_trigger t WHERE NOT t.tgisinternal
UNION ALL SELECT 'type', t.typname::text FROM pg_type t
    WHERE t.typnamespace = 'public'::regnamespace AND t.typtype IN ('d', 'e', 'r')
UNION ALL SELECT 'schema', n.nspname::text FROM pg_namespace n
    WHERE n.nspname NOT IN ('public', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
ORDER BY 1, 2
"""


@contextmanager
def empty_database(servers: Settings) -> Iterator[sqlalchemy.Engine]:
    """A database with nothing in it."""
    assert servers.database_url is not None
    url = servers.database_url.get_secret_value()
    name = f"cadenza_migrations_{secrets.token_hex(6)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
    try:
        parts = urlsplit(url)._replace(scheme="postgresql+psycopg", path=f"/{name}")
        yield sqlalchemy.create_engine(parts.geturl(), poolclass=sqlalchemy.NullPool)
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def empty(servers: Settings) -> Iterator[sqlalchemy.Engine]:
    with empty_database(servers) as engine:
        yield engine


def catalog(engine: sqlalchemy.Engine) -> dict[str, list[tuple[Any, ...]]]:
    """What the database says of its tables."""
    queries = {"tables": TABLES, "columns": COLUMNS, "constraints": CONSTRAINTS, "indexes": INDEXES}
    with engine.connect() as connection:
        return {
            what: [tuple(row) for row in connection.exec_driver_sql(query, (list(OTHERS),))]
            for what, query in queries.items()
        }


def besides(engine: sqlalchemy.Engine) -> list[tuple[str, str]]:
    """Functions, triggers, types and schemas."""
    with engine.connect() as connection:
        return [(row[0], row[1]) for row in connection.exec_driver_sql(BESIDES.replace("%'", "%%'"))]


def up(engine: sqlalchemy.Engine) -> str:
    with engine.begin() as connection:
        return migrate.up(connection)


def revisions(engine: sqlalchemy.Engine) -> int:
    """How many revisions there are, counted on the way down."""
    count = 0
    with engine.begin() as connection:
        while migrate.current(connection) is not None:
            migrate.down(connection, 1)
            count += 1
    return count


def test_the_migrations_make_what_the_tables_declare(empty: sqlalchemy.Engine, servers: Settings) -> None:
    assert up(empty) == migrate.newest()
    with empty_database(servers) as declared:
        with declared.begin() as connection:
            metadata.create_all(connection)
        made, wanted = catalog(empty), catalog(declared)
    assert len(wanted["tables"]) > 10
    for what, entries in wanted.items():
        assert made[what] == entries, what


def test_down_leaves_nothing_and_up_again_makes_the_same(empty: sqlalchemy.Engine) -> None:
    up(empty)
    first, functions = catalog(empty), besides(empty)
    assert ("function", "sequence_now") in functions
    assert revisions(empty) >= 1
    assert catalog(empty) == {"tables": [], "columns": [], "constraints": [], "indexes": []}
    assert besides(empty) == []
    assert up(empty) == migrate.newest()
    assert catalog(empty) == first
    assert besides(empty) == functions


def test_up_twice_changes_nothing(empty: sqlalchemy.Engine) -> None:
    up(empty)
    first = catalog(empty)
    assert up(empty) == migrate.newest()
    assert catalog(empty) == first


def test_it_does_not_go_down_further_than_it_came_up(empty: sqlalchemy.Engine) -> None:
    up(empty)
    with empty.begin() as connection, pytest.raises(ValueError, match="only"):
        migrate.down(connection, 1_000)
