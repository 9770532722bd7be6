"""Two workspaces with the same people, the same sequence key, the same batch and the same idempotency key."""

import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cli import Cli, ReadyCli, query, ready_server, wait_for

from deploy.sandbox.ledger import read_ledger
from deploy.sandbox.options import SandboxOptions
from deploy.sandbox.process import SandboxProcess, start_sandbox
from deploy.sandbox.settings import with_sandbox
from engine import clock
from engine.database import Database
from engine.settings import Settings

SEQUENCE = """
sequence: welcome
exit_on: [unsubscribed]
steps:
  - {{key: hello, type: sms, body: "{0} says hello to {{{{ contact.first_name }}}} of {{{{ custom.city }}}}"}}
  - {{key: more, type: email, delay: {1}, subject: "More from {0}", text: "Dear {{{{ contact.first_name }}}}"}}
  - {{key: last, type: sms, delay: 1 day, body: "Goodbye from {0}"}}
"""
PHONES = ("+12125550101", "+12125550102", "+12125550103")


@pytest.fixture(scope="module")
def server() -> Iterator["subprocess.Popen[bytes]"]:
    with ready_server() as server:
        yield server


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SandboxProcess]:
    with start_sandbox(SandboxOptions(data_dir=tmp_path / "sandbox")) as child:
        yield child


@pytest.fixture
def cli(settings: Settings, tmp_path: Path, sandbox: SandboxProcess, server: "subprocess.Popen[bytes]") -> Cli:
    return ReadyCli(with_sandbox(settings, sandbox.sandbox), tmp_path, server)


def rows(database: Database, workspace: str, columns: str, table: str, order: str = "1") -> list[tuple[object, ...]]:
    """Rows of a table that belong to a workspace."""
    of_workspace = "workspace_id = (SELECT id FROM workspaces WHERE key = %s)"
    return list(query(database, f"SELECT {columns} FROM {table} WHERE {of_workspace} ORDER BY {order}", workspace))


def wait_until_sent(database: Database, workspace: str, messages: int) -> None:
    """Wait until so many messages of a workspace are sent."""
    wait_for(
        lambda: rows(database, workspace, "status", "outbox").count(("sent",)) == messages,
        f"{messages} messages of {workspace}",
    )


def test_two_workspaces_do_not_mix(cli: Cli, database: Database, sandbox: SandboxProcess) -> None:
    for workspace, name, city, delay in (("north", "Nora", "Kiel", "1 day"), ("south", "Sam", "Ulm", "2 days")):
        cli("workspace", "add", workspace, "--name", workspace.title()).check(0)
        cli.file(f"{workspace}.yaml", SEQUENCE.format(workspace, delay))
        cli("apply", f"{workspace}.yaml", "-w", workspace).check(0)
        people = "".join(f"c{n},p{n}@example.com,{phone},{name},{city}\n" for n, phone in enumerate(PHONES[:2]))
        cli.file(f"{workspace}.csv", f"external_id,email,phone,first_name,city\n{people}")

    # The first number has opted out when the workers come to it in the one, and in again when in the other.
    sandbox.client.set_unsubscribed([PHONES[0]])
    enroll = ("enroll", "welcome", "--batch", "monday", "--json")
    publish = (
        "publish",
        "welcome",
        "--phone",
        PHONES[2],
        "--email",
        "p3@example.com",
        "--idempotency-key",
        "k",
        "--json",
    )
    worker = cli.start("worker", "--processes", "2")
    try:
        made = []
        for workspace, name, sent in (("north", "Nora", 2), ("south", "Sam", 3)):
            report = cli(*enroll, f"{workspace}.csv", "-w", workspace).check(0).document
            assert (report["enrolled"], report["repeats"], report["resumed_at"]) == (2, 0, 0)
            event = (*publish, "--first-name", name, "--data", f'{{"city": "{name}ville"}}', "-w", workspace)
            made.append(cli(*event).check(0).document)
            assert cli(*event).check(0).document == {**made[-1], "created": False}
            wait_until_sent(database, workspace, sent)
            sandbox.client.set_unsubscribed([])
        assert made[0]["created"] and made[1]["created"]
        assert made[0]["enrollment_id"] != made[1]["enrollment_id"]

        for day in range(1, 5):
            with database.transaction() as session:
                clock.advance(session, timedelta(days=1))
            wait_until_sent(database, "north", 2 * min(1 + day, 3))
            wait_until_sent(database, "south", 3 * max(1, min(day, 3)))
    finally:
        worker.tell(signal.SIGTERM)
        assert worker.ended().code == 0

    said = Counter((entry.to, entry.body or entry.subject) for entry in read_ledger(sandbox.sandbox.ledger))
    assert set(said.values()) == {1}
    assert {text for to, text in said if to == PHONES[0]} == {"south says hello to Sam of Ulm", "Goodbye from south"}
    assert {text for to, text in said if to == PHONES[1]} == {
        "north says hello to Nora of Kiel",
        "Goodbye from north",
        "south says hello to Sam of Ulm",
        "Goodbye from south",
    }
    assert {text for to, text in said if to == PHONES[2]} >= {
        "north says hello to Nora of Noraville",
        "south says hello to Sam of Samville",
    }
    for workspace, name in (("north", "Nora"), ("south", "Sam")):
        assert rows(database, workspace, "phone, first_name", "contacts") == [(phone, name) for phone in PHONES]
        assert rows(database, workspace, "name, records, enrolled", "batches") == [("monday", 2, 2)]
        assert rows(database, workspace, "idempotency_key", "enroll_events") == [("k",)]
        assert rows(database, workspace, "number", "sequence_versions") == [(1,)]
    assert rows(database, "north", "address, reason", "suppressions") == [(PHONES[0], "unsubscribed")]
    assert rows(database, "south", "address", "suppressions") == []
    assert rows(database, "north", "status, exit_reason", "enrollments", "id") == [
        ("cancelled", "unsubscribed"),
        ("completed", None),
        ("completed", None),
    ]
    assert rows(database, "south", "status, exit_reason", "enrollments", "id") == [("completed", None)] * 3
    for workspace, sent, cancelled in (("north", 6, 2), ("south", 9, 0)):
        status = cli("status", "-w", workspace, "--json").check(0).document["rows"]
        assert (status["sent"], status["cancelled"]) == (sent, cancelled)
    whole = cli("status", "--json").check(0).document["rows"]
    assert (whole["sent"], whole["cancelled"], whole["failed"]) == (15, 2, 1)
    assert cli("audit", "--ledger", sandbox.sandbox.ledger).check(0).out.endswith("clean\n")


def test_what_one_workspace_has_no_other_can_use(cli: Cli, database: Database) -> None:
    for workspace in ("north", "south"):
        cli("workspace", "add", workspace).check(0)
    cli.file("north.yaml", SEQUENCE.format("north", "1 day"))
    cli.file("list.csv", "email,phone\na@example.com,+12125550101\n")
    assert "version 1 published" in cli("apply", "north.yaml", "-w", "north").check(0).out
    for arguments in (("enroll", "welcome", "list.csv"), ("publish", "welcome", "--phone", "+12125550101")):
        refused = cli(*arguments, "-w", "south").check(2)
        assert "unknown sequence 'welcome': there is none yet" in refused.complaint
        by_setting = cli(*arguments, CADENZA_WORKSPACE="south").check(2)
        assert by_setting.complaint == refused.complaint
    assert query(database, "SELECT count(*) FROM contacts") == [(0,)]
    assert "version 1 published" in cli("apply", "north.yaml", CADENZA_WORKSPACE="south").check(0).out
    assert "version 1 is unchanged" in cli("apply", "north.yaml", "-w", "south").check(0).out
