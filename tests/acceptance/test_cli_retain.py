"""Old attempts, events and history are removed from the command line."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from cli import Cli, ReadyCli, query, ready_server

from engine.database import Database
from engine.settings import Settings

OLD = """
DO $$ DECLARE first timestamptz := '2020-01-01 00:00+00'; BEGIN
    CREATE TABLE history_months.m2020_01 PARTITION OF history
        FOR VALUES FROM ('2020-01-01 00:00+00') TO ('2020-02-01 00:00+00');
    INSERT INTO history (at, sequence_at, workspace_id, made_by, became)
    VALUES (first + interval '3 days', first, 1, 'ann', 'paused');
    INSERT INTO events (workspace_id, provider, kind, provider_id, status, payload, received_at)
    VALUES (1, 'twilio', 'inbound', 'SM1', 'reply', '{}', first), (1, 'twilio', 'inbound', 'SM2', 'stop', '{}', first);
END $$
"""


@pytest.fixture(scope="module")
def server() -> Iterator["subprocess.Popen[bytes]"]:
    with ready_server() as server:
        yield server


@pytest.fixture
def old(database: Database, settings: Settings, tmp_path: Path, server: "subprocess.Popen[bytes]") -> Cli:
    with database.transaction() as session:
        session.execute(OLD)
    return ReadyCli(settings, tmp_path, server)


def test_what_is_old_is_counted_and_then_removed(database: Database, old: Cli) -> None:
    asked = old("retain", "--months", "18", "--dry-run").check(0).out
    assert "would remove 1, 1 still needed" in asked
    refused = old("retain", "--months", "18").check(2)
    assert "this archives 0 steps and removes 2 rows from before" in refused.complaint
    assert "--yes" in refused.complaint

    document = old("retain", "--months", "18", "--yes", "--json").check(0).document
    assert document["months"] == [
        {"table": "events", "month": "2020-01", "removed": 1, "kept": 1},
        {"table": "history", "month": "2020-01", "removed": 1, "kept": 0},
    ]
    assert (document["dry_run"], document["busy"]) == (False, [])
    assert query(database, "SELECT provider_id FROM events") == [("SM2",)]
    assert old("retain", "--months", "18", "--json").check(0).document["months"][0]["removed"] == 0


def test_a_month_that_a_backup_reads_is_left_for_the_next_run(database: Database, old: Cli) -> None:
    with psycopg.connect(database.url) as backup:
        backup.execute("SELECT FROM history")
        ran = old("retain", "--months", "18", "--yes").check(3)
        assert "run `cadenza retain` again" in ran.err
        assert "2020-01" in ran.out
        assert "busy" in ran.out
    assert query(database, "SELECT count(*) FROM history") == [(1,)]
