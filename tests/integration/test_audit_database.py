"""The audit reads a real database and a real ledger: clean when all went well, and not when a row is tampered with."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from deploy.audit import Audit, Kind, audit
from deploy.sandbox.ledger import Entry, LedgerWriter, read_entries
from engine.clock import advance
from engine.database import Database
from engine.outbox.begin import Attempt, begin
from engine.outbox.claim import Claimed, claim
from engine.outbox.settle import Ending, settle
from engine.settings import Settings
from engine.wakeups import Wakeups
from producers.enroll_event import EnrollEvent, publish
from producers.inbound import InboundMessage, receive
from producers.sequences import publish as publish_sequence
from producers.tenants import Tenant
from producers.workspaces import add, find_workspace
from schema.definition import parse
from schema.states import RowStatus
from workers.supervisor import environment_of

SEQUENCE = """
sequence: audited
steps:
  - {key: welcome, type: email, subject: "Hi", text: "Hello"}
  - {key: reminder, type: sms, delay: 1 day, body: "Still there?"}
"""

HELD_UP = """
sequence: held-up
exit_on: []
steps:
  - {key: first, type: sms, body: "Hi"}
  - {key: second, type: sms, delay: 1 hour, body: "Still there?"}
"""

ANA = "+12025550101"


class World:
    """A database with one enrollment, and the provider that its messages go to."""

    def __init__(self, database: Database, redis_url: str, ledger: Path) -> None:
        self.database = database
        self.ledger = ledger
        self.wakeups = Wakeups(redis_url)

    def enroll(self, workspace: str = "default") -> int:
        with self.database.transaction() as session:
            publish_sequence(session, find_workspace(session, workspace).id, parse(SEQUENCE))
        event = EnrollEvent("audited", email="ada@example.com", phone="+12025550101", workspace=workspace)
        return publish(self.database, self.wakeups, event).enrollment_id

    def deliver(self) -> int:
        """Send what is due, as a worker does; tell how many."""
        with self.database.transaction() as session:
            ids = [row[0] for row in session.execute("SELECT id FROM outbox")]
            claimed = claim(session, ids)
            begin(session, [_attempt(row) for row in claimed], 60)
        endings = []
        with LedgerWriter(self.ledger) as writer:
            for row in claimed:
                entry = _accepted(row, self.real_now())
                writer.write(entry)
                sent = Ending(row.id, row.fence, row.channel, RowStatus.SENT, outcome="accepted", provider_id=entry.id)
                endings.append(sent)
        with self.database.transaction() as session:
            settle(session, endings)
        return len(claimed)

    def real_now(self) -> float:
        with self.database.transaction() as session:
            row = session.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
        assert row is not None
        return float(row[0])

    def day_passes(self) -> None:
        with self.database.transaction() as session:
            advance(session, timedelta(days=1))

    def execute(self, statement: str) -> None:
        with self.database.transaction() as session:
            assert session.execute(statement.encode()).rowcount == 1

    def rewrite(self, change: Callable[[Entry], Entry | None]) -> None:
        entries = [changed for entry in list(read_entries(self.ledger)) if (changed := change(entry))]
        with LedgerWriter(self.ledger, fresh=True) as writer:
            writer.write(*entries)

    def audited(self) -> Audit:
        return audit(self.database, self.ledger)


def _attempt(row: Claimed) -> Attempt:
    payload = (
        {"body": "Still there?", "media_urls": []}
        if row.channel == "sms"
        else {"message_id": f"<{row.id}@x>", "subject": "Hi", "text": "Hello", "html": None}
    )
    return Attempt(row.id, row.fence, row.recipient or "", json.dumps(payload), 0.1)


def _accepted(row: Claimed, at: float) -> Entry:
    if row.channel == "sms":
        return Entry(
            at=at, channel="sms", event="accepted", id=f"SM{row.id:032}", to=row.recipient, body="Still there?"
        )
    raw = "Subject: Hi\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHello\r\n"
    return Entry(at=at, channel="email", event="accepted", id=f"<{row.id}@x>", to=row.recipient, subject="Hi", raw=raw)


@pytest.fixture
def world(database: Database, redis_url: str, tmp_path: Path) -> World:
    """One enrollment, wholly sent."""
    world = World(database, redis_url, tmp_path / "ledger.ndjson")
    world.enroll()
    assert world.deliver() == 1
    world.day_passes()
    assert world.deliver() == 1
    world.wakeups.close()
    return world


def test_what_went_well_is_clean(world: World) -> None:
    found = world.audited()
    assert found.clean, found.examples
    assert (found.rows, found.accepted_once, found.by_status["sent"]) == (2, 2, 2)


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("UPDATE outbox SET status = 'pending', sent_at = NULL WHERE type = 'sms'", Kind.WRONG),
        ("UPDATE outbox SET provider_id = 'SM1' WHERE type = 'sms'", Kind.WRONG),
        ("UPDATE contacts SET phone = '+12025550199'", Kind.WRONG),
        ("UPDATE attempt_records SET payload = '{\"body\": \"Other\"}' WHERE channel = 'sms'", Kind.WRONG),
        ("DELETE FROM attempt_records WHERE channel = 'sms'", Kind.INVENTED),
        ("UPDATE outbox SET due_at = due_at + interval '1 day' WHERE type = 'sms'", Kind.EARLY),
        ("UPDATE outbox SET accepted_at = accepted_at + interval '1 hour' WHERE type = 'email'", Kind.OUT_OF_ORDER),
        ("UPDATE outbox SET status = 'unknown', sent_at = NULL WHERE type = 'sms'", Kind.IN_DOUBT),
        (
            (
                "INSERT INTO suppressions (workspace_id, channel, address, reason, created_at)"
                " VALUES (1, 'email', 'ada@example.com', 'unsubscribed', now() - interval '1 day')"
            ),
            Kind.BARRED,
        ),
        (
            (
                "UPDATE enrollments SET status = 'cancelled', exit_reason = 'replied', completed_at = NULL,"
                " cancelled_at = enrolled_at + interval '1 hour'"
            ),
            Kind.BARRED,
        ),
    ],
)
def test_a_database_that_was_tampered_with(world: World, statement: str, kind: Kind) -> None:
    world.execute(statement)
    assert world.audited().counts[kind] == 1


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda entry: None if entry.channel == "sms" else entry, Kind.WRONG),
        (lambda entry: replace(entry, event="refused") if entry.channel == "sms" else entry, Kind.WRONG),
        (lambda entry: replace(entry, body="Other") if entry.channel == "sms" else entry, Kind.WRONG),
        (lambda entry: replace(entry, at=entry.at + 90_000) if entry.channel == "email" else entry, Kind.OUT_OF_ORDER),
    ],
)
def test_a_ledger_that_was_tampered_with(world: World, change: Callable[[Entry], Entry | None], kind: Kind) -> None:
    world.rewrite(change)
    assert world.audited().counts == {kind: 1}


def test_what_was_accepted_twice(world: World) -> None:
    entries = list(read_entries(world.ledger))
    with LedgerWriter(world.ledger) as writer:
        writer.write(*[replace(entry, id="SM2" if entry.channel == "sms" else entry.id) for entry in entries])
    assert world.audited().counts == {Kind.DUPLICATED: 2}


def test_what_is_due_and_was_not_sent_is_lost(world: World) -> None:
    with world.database.transaction() as session:
        add(session, "other")
    world.enroll("other")
    found = world.audited()
    assert found.counts == {Kind.LOST: 1}
    with world.database.transaction() as session:
        mine = find_workspace(session, "default").id
    assert audit(world.database, world.ledger, workspace_id=mine).clean, "the other workspace is not asked about"


def test_the_command(world: World, settings: Settings) -> None:
    def run(*options: str) -> subprocess.CompletedProcess[str]:
        command = "from deploy.cli.main import main; main()"
        return subprocess.run(
            [sys.executable, "-c", command, "audit", "--ledger", str(world.ledger), *options],
            env={**os.environ, **environment_of(settings)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    clean = run("--json")
    assert clean.returncode == 0, clean.stderr
    assert json.loads(clean.stdout)["clean"] is True
    world.execute("UPDATE outbox SET provider_id = 'SM1' WHERE type = 'sms'")
    spoilt = run()
    assert spoilt.returncode == 1
    assert "wrong: accepted under another id than the row says" in spoilt.stdout
    missing = run("--ledger", "nowhere.ndjson")
    assert missing.returncode == 2
    assert missing.stderr.count("\n") == 1 and "nowhere.ndjson" in missing.stderr


def test_a_row_that_waits_for_an_operators_decision_is_not_lost(world: World) -> None:
    """Neither is the row behind it."""
    with world.database.transaction() as session:
        publish_sequence(session, 1, parse(HELD_UP))
    publish(world.database, world.wakeups, EnrollEvent("held-up", phone=ANA))
    with world.database.transaction() as session:
        tenant = Tenant(1, "Default", "US", "secret")
        receive(session, tenant, InboundMessage("SM1", ANA, "stop it", None, {"From": ANA, "Body": "stop it"}))
    world.day_passes()
    assert world.audited().clean
    world.execute("DELETE FROM contact_holds")
    assert world.audited().counts == {Kind.LOST: 2}
