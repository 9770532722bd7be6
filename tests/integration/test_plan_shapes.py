"""Statements find their rows by what they are given, whatever the statistics say: counted in the pages that they touch.

The same 300,000 outbox rows are looked at with plans that were made while the tables were empty, and by the statistics
of other times: all active, all completed, one huge workspace among many. The text of a plan is not looked at.
"""

import json
import re
import secrets
from collections.abc import Iterator
from typing import Any, Final

import psycopg
import pytest
from plan_ground import ALL_COMPLETED, FREEZE, ONE_HUGE, PEOPLE, ROWS, SEQUENCES, SPECIAL, run
from plan_statements import MANY, STATEMENTS, Statement

from engine.database import KEPT_PLANS, PLANS
from engine.settings import Settings
from tests.conftest import as_superuser, with_path

#: Pages that a statement may touch beside those for each row. To read a table or an index of it takes thousands.
AT_ALL: Final = 200

#: What Postgres up to 17 adds to the cost of a scan that is switched off: a plan that has to use one is chosen blindly.
SWITCHED_OFF: Final = 1e9

TYPES: Final = {bool: "bool", int: "integer", float: "float8", str: "text"}


class Measured:
    """What each statement touched: by the statistics, the session and the name."""

    def __init__(self, kept: "psycopg.Connection[Any]", anew: "psycopg.Connection[Any]") -> None:
        self.sessions = {"kept": kept, "anew": anew}
        self.plans: dict[tuple[str, str, str], dict[str, Any]] = {}
        for session in self.sessions.values():
            for number, statement in enumerate(STATEMENTS):
                session.execute(_prepare(number, statement).encode())

    def plan(self) -> None:
        """Make the plans that are kept."""
        for number, statement in enumerate(STATEMENTS):
            self.sessions["kept"].execute(f"EXPLAIN {_execute(number, statement)}".encode())

    def measure(self, statistics: str) -> None:
        """Run each statement, and take back what it did."""
        for kind, session in self.sessions.items():
            for number, statement in enumerate(STATEMENTS):
                with session.transaction(force_rollback=True):
                    told = session.execute(
                        f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {_execute(number, statement)}".encode()
                    ).fetchone()
                assert told is not None
                self.plans[statistics, kind, statement.name] = told[0][0]

    def of(self, statement: Statement) -> list[tuple[tuple[str, str], dict[str, Any]]]:
        """How a statement was run: by the statistics and the session."""
        return [
            ((statistics, kind), plan)
            for (statistics, kind, name), plan in self.plans.items()
            if name == statement.name and (statement.kept or kind != "kept")
        ]


def _prepare(number: int, statement: Statement) -> str:
    """The statement, with its parameters numbered."""
    names = list(statement.parameters)
    text = re.sub(r"%\((\w+)\)[bs]", lambda found: f"${names.index(found[1]) + 1}", statement.text).replace("%%", "%")
    types = ", ".join(_type(value) for value in statement.parameters.values())
    return f"PREPARE statement_{number} ({types}) AS {text}"


def _execute(number: int, statement: Statement) -> str:
    values = ", ".join(_literal(value) for value in statement.parameters.values())
    return f"EXECUTE statement_{number} ({values})"


def _type(value: Any) -> str:
    if isinstance(value, list):
        return f"{_type(value[0])}[]"
    return TYPES.get(type(value), "timestamptz" if hasattr(value, "isoformat") else "text")


def _literal(value: Any) -> str:
    if isinstance(value, list):
        return "'{" + ", ".join("NULL" if one is None else json.dumps(_plain(one)) for one in value) + "}'"
    return "NULL" if value is None else f"'{_plain(value)}'"


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


@pytest.fixture(scope="module")
def measured(servers: Settings, template: str) -> Iterator[Measured]:
    """All of it, measured once."""
    assert servers.database_url is not None
    url = servers.database_url.get_secret_value()
    name = f"cadenza_plans_{secrets.token_hex(6)}"
    as_superuser(url, f"CREATE DATABASE {name} TEMPLATE {template}")
    mine = with_path(url, name)
    try:
        with (
            psycopg.connect(mine, autocommit=True) as ground,
            psycopg.connect(mine, autocommit=True, options=f"-c jit=off {PLANS} {KEPT_PLANS}") as kept,
            psycopg.connect(mine, autocommit=True, options=f"-c jit=off {PLANS}") as anew,
        ):
            run(ground, FREEZE)
            run(ground, SEQUENCES)
            ground.execute("VACUUM ANALYZE")  # empty tables are known to be empty
            measured = Measured(kept, anew)
            measured.plan()
            for statements in (PEOPLE, ROWS, SPECIAL):
                run(ground, statements)
            measured.measure("empty")
            ground.execute("ANALYZE")
            measured.measure("all active")
            run(ground, ALL_COMPLETED)
            ground.execute("ANALYZE")
            measured.plan()
            run(ground, ONE_HUGE)
            measured.measure("all completed")
            ground.execute("ANALYZE")
            measured.measure("one huge")
            yield measured
    finally:
        as_superuser(url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: statement.name.replace(" ", "-"))
def test_a_statement_touches_what_it_is_given(measured: Measured, statement: Statement) -> None:
    touched = {case: _pages(plan["Plan"]) for case, plan in measured.of(statement)}
    assert not {case: pages for case, pages in touched.items() if pages > AT_ALL + statement.each * MANY}


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: statement.name.replace(" ", "-"))
def test_a_statement_has_done_its_work_and_was_not_compiled(measured: Measured, statement: Statement) -> None:
    for case, plan in measured.of(statement):
        assert statement.gives in (None, plan["Plan"]["Actual Rows"]), case
        assert "JIT" not in plan, case


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: statement.name.replace(" ", "-"))
def test_a_kept_plan_needs_nothing_that_is_switched_off(measured: Measured, statement: Statement) -> None:
    for case, plan in measured.of(statement):
        assert "kept" not in case or plan["Plan"]["Total Cost"] < SWITCHED_OFF, case


def _pages(node: dict[str, Any]) -> int:
    """Pages that a node has touched, and the parts beside it that run when it has ended."""
    own: int = node["Shared Hit Blocks"] + node["Shared Read Blocks"]
    beside = (child for child in node.get("Plans", ()) if child["Parent Relationship"] == "InitPlan")
    return own + sum(_pages(child) for child in beside)
