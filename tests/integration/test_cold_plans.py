"""The mover's cost follows what it is given, at 300,000 outbox rows and with statistics of an empty table."""

import secrets
from collections.abc import Iterator
from typing import Any, Final

import psycopg
import pytest
from plan_ground import ALL_COMPLETED, FREEZE, PEOPLE, ROWS, SEQUENCES, run

from engine.database import PLANS, Database
from engine.outbox import cold_move
from engine.outbox.retention import ALL
from engine.settings import Settings
from tests.conftest import as_superuser, with_path
from tests.integration.test_cold_move import FAR
from tests.integration.test_plan_shapes import _pages as pages

#: Enrollments in the middle of the table; each has five rows.
MANY: Final = 100
GIVEN: Final = list(range(30_001, 30_001 + MANY))

#: Pages for each of them: its rows and indexes, read from one table and written to another.
EACH: Final = 190
AT_ALL: Final = 300

PAGE_OF: Final = {"after": 30_000, "until": ALL, "limit": 5 * MANY}
RIPE_OF: Final = {"enrollments": GIVEN, "before": FAR.before, "ended_before": FAR.ended_before, "detached": []}

STATEMENTS: Final[dict[str, tuple[str, dict[str, Any], int]]] = {
    "page": (cold_move.PAGE, PAGE_OF, 5 * MANY),
    "ripe": (cold_move.RIPE, RIPE_OF, MANY),
    "lock enrollments": (cold_move.LOCK_ENROLLMENTS, {"enrollments": GIVEN}, MANY),
    "lock rows": (cold_move.LOCK_ROWS, {"enrollments": GIVEN}, 5 * MANY),
    "move": (cold_move.MOVE, {"enrollments": GIVEN, "sequences": [1] * MANY, "months": ["2001-01-01"] * MANY}, 1),
}


@pytest.fixture(scope="module")
def ground(servers: Settings, template: str) -> Iterator[str]:
    """A database with 60,000 enrollments that have ended, whose statistics say that it is empty."""
    assert servers.database_url is not None
    url = servers.database_url.get_secret_value()
    name = f"cadenza_cold_{secrets.token_hex(6)}"
    as_superuser(url, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        with psycopg.connect(with_path(url, name), autocommit=True) as session:
            run(session, FREEZE)
            run(session, SEQUENCES)
            session.execute("VACUUM ANALYZE")
            for statements in (PEOPLE, ROWS, ALL_COMPLETED):
                run(session, statements)
        yield with_path(url, name)
    finally:
        as_superuser(url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("statistics", ["empty", "fresh"])
def test_each_statement_touches_what_it_is_given(ground: str, statistics: str) -> None:
    with psycopg.connect(ground, autocommit=True, options=f"-c jit=off {PLANS}") as session:
        if statistics == "fresh":
            session.execute("ANALYZE")
        for name, (text, parameters, gives) in STATEMENTS.items():
            with session.transaction(force_rollback=True):
                session.execute(cold_move.BY_INDEX)
                cold_move.make_month(session, FAR.before.date().replace(year=2001))
                query = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {text}".encode()
                row = session.execute(query, parameters).fetchone()
            assert row is not None
            plan = row[0][0]["Plan"]
            assert plan["Actual Rows"] == gives, name
            assert pages(plan) <= AT_ALL + EACH * MANY, (name, pages(plan))


def test_a_later_run_reads_nothing_of_what_has_moved(ground: str) -> None:
    database = Database(ground)
    after, limit = -1, 5_000
    for _ in range(4):
        with database.transaction() as session:
            step = cold_move.move_step(session, FAR, ALL, after, limit, dry_run=False)
        assert sum(rows for rows, _ in step.months.values()) == limit
        after = step.after
    database.close()
    with psycopg.connect(ground, autocommit=True, options=f"-c jit=off {PLANS}") as session:
        session.execute("VACUUM outbox")
        with session.transaction():
            session.execute(cold_move.BY_INDEX)
            query = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {cold_move.PAGE}".encode()
            row = session.execute(query, {"after": -1, "until": ALL, "limit": 50}).fetchone()
    assert row is not None
    assert row[0][0]["Plan"]["Actual Rows"] == 50
    assert pages(row[0][0]["Plan"]) < 100
