"""Steps are archived, listed, detached and attached from the command line, and `explain` says where they are."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli import Cli, ReadyCli, query, ready_server
from old_enrollments import end, long_ago, send
from world import World

from engine.database import Database
from engine.settings import Settings


@pytest.fixture(scope="module")
def server() -> Iterator["subprocess.Popen[bytes]"]:
    with ready_server() as server:
        yield server


@pytest.fixture
def cli(database: Database, settings: Settings, tmp_path: Path, server: "subprocess.Popen[bytes]") -> Cli:
    world = World(database)
    world.publish()
    ids = [one.enrollment_id for one in world.enroll(count=2)]
    send(world, ids)
    end(world, ids)
    long_ago(world, *ids)
    return ReadyCli(settings, tmp_path, server)


def test_a_month_is_archived_detached_and_attached(database: Database, cli: Cli) -> None:
    assert "no steps are archived" in cli("archives").check(0).out
    assert "would archive 6 with 2 attempts" in cli("retain", "--months", "18", "--dry-run").check(0).out
    assert "this archives 6 steps" in cli("retain", "--months", "18").check(2).complaint
    document = cli("retain", "--months", "18", "--yes", "--json").check(0).document
    ((month, rows, attempts),) = [tuple(one.values()) for one in document["archived"]]
    assert (rows, attempts, document["kept_rows"]) == (6, 2, 0)

    (listed,) = cli("archives", "--json").check(0).document["archives"]
    table = f"archives.outbox_{month.replace('-', '_')}"
    assert listed["bytes"] > 0
    assert (listed["month"], listed["state"], listed["rows"], listed["tables"][0]) == (month, "attached", 6, table)
    assert f"its steps are archived: in {table}" in cli("explain", "1").check(0).out
    assert cli("status", "--json").check(0).document["archived_rows"] == 6
    (sequence,) = cli("sequences", "--json").check(0).document["sequences"]
    assert sequence["messages_sent"] == 2

    said = cli("archives", "detach", month).check(0).out
    assert f"DROP TABLE {table}, " in said
    assert f"cadenza archives attach {month}" in said
    assert "is detached" in cli("explain", "1").check(0).out
    assert query(database, f"SELECT count(*) FROM {table}") == [(6,)]
    assert cli("sequences", "--json").check(0).document["sequences"] == [sequence]
    assert "detached" in cli("archives").check(0).out
    assert cli("archives", "attach", month, "--json").check(0).document == {"month": month, "state": "attached"}
    assert len(cli("explain", "1", "--json").check(0).document["steps"]) == 3


@pytest.mark.parametrize(
    ("month", "says"),
    [("2025-13", "is no month"), ("march", "is no month"), ("0000-01", "is no month"), ("2001-01", "no steps are")],
)
@pytest.mark.parametrize("act", ["detach", "attach"])
def test_what_is_no_archive_is_refused(cli: Cli, act: str, month: str, says: str) -> None:
    assert says in cli("archives", act, month).check(2).complaint
