"""The same people again and again, from files and from events, by many processes at once: one enrollment each."""

import json
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cli import PATIENCE, WAITING, Cli, ReadyCli, counts, query, ready_server, wait_for

from deploy.audit import audit
from deploy.sandbox.ledger import read_ledger
from deploy.sandbox.options import SandboxOptions
from deploy.sandbox.process import start_sandbox
from deploy.sandbox.settings import with_sandbox
from engine import clock
from engine.database import Database
from engine.settings import Settings
from producers.sequences import publish as publish_sequence
from schema.definition import parse, parse_duration

AT_ONCE = 20
STEPS = 3

SEQUENCE = """
sequence: follow-up
steps:
  - {key: first, type: sms, body: "First, {{ contact.first_name }}"}
  - {key: second, type: email, delay: 1 day, subject: Second, text: "Hello {{ custom.plan }}"}
  - {key: third, type: sms, delay: 1 day, body: Third}
"""
ANN = ("--phone", "+1 202 555 0123", "--email", "Ann@Example.com", "--first-name", "Ann", "--data", '{"plan": "pro"}')

#: A service that has many processes, each of which asks for the same enrollment; every other one with a key.
SERVICE = """
import os, sys
import producers

for number in range(int(sys.argv[1])):
    if os.fork() == 0:
        key = "order 4711" if number % 2 else None
        enrolled = producers.enroll("follow-up", phone="202-555-0123", email="a@example.com", idempotency_key=key)
        os.write(1, f"{enrolled.enrollment_id} {enrolled.created}\\n".encode())
        os._exit(0)
sys.exit(any(os.wait()[1] for _ in range(int(sys.argv[1]))))
"""


@pytest.fixture(scope="module")
def server() -> Iterator["subprocess.Popen[bytes]"]:
    with ready_server() as server:
        yield server


@pytest.fixture
def cli(settings: Settings, tmp_path: Path, database: Database, server: "subprocess.Popen[bytes]") -> Iterator[Cli]:
    with database.transaction() as session:
        publish_sequence(session, 1, parse(SEQUENCE))
    with start_sandbox(SandboxOptions(data_dir=tmp_path / "sandbox")) as child:
        yield ReadyCli(with_sandbox(settings, child.sandbox), tmp_path, server)


@contextmanager
def held(database: Database, table: str) -> Iterator[None]:
    """Nobody gets to the table meanwhile."""
    with database.transaction() as session:
        session.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        yield


@contextmanager
def gate(database: Database, processes: int = AT_ONCE) -> Iterator[Callable[[], None]]:
    """Nobody gets past the first look at the database; what is given waits until so many processes stand there."""
    with database.connect() as watching, held(database, "workspaces"):

        def all_wait() -> None:
            wait_for(lambda: watching.execute(WAITING).fetchone() == (processes,), "all of them at the gate")

        yield all_wait


def assert_goes_out_once(cli: Cli, database: Database, people: int) -> None:
    """Every step of every person is sent once; the auditor finds nothing."""
    worker = cli.start("worker", "--processes", "2")
    try:
        for step in range(1, STEPS + 1):
            sent = people * step
            wait_for(
                lambda want=sent: query(database, "SELECT count(*) FROM outbox WHERE status = 'sent'") == [(want,)],
                f"{sent} messages",
            )
            with database.transaction() as session:
                clock.advance(session, parse_duration("1 day"))
    finally:
        worker.tell(signal.SIGTERM)
        assert worker.ended().code == 0
    ledger = cli.folder / "sandbox" / "sandbox.ledger.ndjson"
    assert audit(database, ledger).clean
    accepted = Counter((entry.to, entry.body or entry.subject) for entry in read_ledger(ledger))
    assert len(accepted) == people * STEPS
    assert set(accepted.values()) == {1}


def test_the_same_event_from_20_processes_at_once_is_one_enrollment(database: Database, cli: Cli) -> None:
    key = ("--idempotency-key", "order 4711")
    with gate(database) as all_wait:
        running = [
            cli.start("publish", "follow-up", *ANN, *(key if number % 2 else ()), "--json") for number in range(AT_ONCE)
        ]
        all_wait()
    said = [one.ended().check(0).document for one in running]
    assert Counter(document["created"] for document in said) == {True: 1, False: AT_ONCE - 1}
    assert len({document["enrollment_id"] for document in said}) == 1
    after = counts(database)
    assert (after["contacts"], after["enrollments"], after["outbox"], after["enroll_events"]) == (1, 1, STEPS, 1)
    assert "nothing is new" in cli("publish", "follow-up", *ANN, *key).check(0).out
    other = cli("publish", "follow-up", "--phone", "+12025550124", "--email", "b@example.com", *key).check(2)
    assert "'order 4711' was used for another request" in other.complaint
    assert counts(database) == after
    assert_goes_out_once(cli, database, people=1)


def test_the_same_python_call_in_20_processes_at_once_is_one_enrollment(database: Database, cli: Cli) -> None:
    with gate(database) as all_wait:
        service = subprocess.Popen(
            [sys.executable, "-c", SERVICE, str(AT_ONCE)], env=cli.environment, stdout=subprocess.PIPE, text=True
        )
        all_wait()
    said, _ = service.communicate(timeout=PATIENCE)
    assert service.returncode == 0
    results = [line.split() for line in said.splitlines()]
    assert Counter(created for _, created in results) == {"True": 1, "False": AT_ONCE - 1}
    assert len({enrollment for enrollment, _ in results}) == 1
    after = counts(database)
    assert (after["contacts"], after["enrollments"], after["outbox"], after["enroll_events"]) == (1, 1, STEPS, 1)


def test_the_same_file_again_in_every_way_enrolls_nobody_twice(database: Database, cli: Cli) -> None:
    people = [(f"c{n}", f"p{n}@example.com", f"+1212{2_000_000 + n}", "Ann") for n in range(40)]
    columns = ("external_id", "email", "phone", "first_name")
    cli.file("list.csv", "\n".join(map(",".join, [columns, *people])))
    cli.file("again.ndjson", "\n".join(json.dumps(dict(zip(columns, one, strict=True))) for one in people))
    cli.file("twice.csv", "\n".join(map(",".join, [columns, *people, *people])))
    assert cli("enroll", "follow-up", "list.csv", "--json").check(0).document["enrolled"] == len(people)
    before = counts(database)
    for arguments in (
        ("list.csv",),
        ("list.csv", "--batch", "one"),
        ("list.csv", "--batch", "another"),
        ("again.ndjson",),
        ("twice.csv",),
        ("-",),
    ):
        given = (cli.folder / "list.csv").read_bytes()
        report = cli("enroll", "follow-up", *arguments, "--json", given=given).check(0).document
        assert (report["enrolled"], report["repeats"], report["rejected"]) == (0, report["records"], 0)
    cli("publish", "follow-up", "--external-id", "c7", "--phone", "+12122000007", "--email", "p7@example.com").check(0)
    assert counts(database) == before
    assert_goes_out_once(cli, database, people=len(people))


def test_the_same_people_in_several_files_at_once_are_enrolled_once(database: Database, cli: Cli) -> None:
    people = [f"c{n},p{n}@example.com,+1212{2_000_000 + n}" for n in range(6_000)]
    running = []
    with gate(database, runs := 4) as all_wait:
        for number in range(runs):
            random.Random(number).shuffle(people)  # noqa: S311 (so that they lock the same rows in other orders)
            cli.file(f"{number}.csv", "\n".join(["external_id,email,phone", *people]))
            running.append(cli.start("enroll", "follow-up", f"{number}.csv", "--json"))
        all_wait()
    reports = [one.ended().check(0).document for one in running]
    assert sum(report["enrolled"] for report in reports) == len(people)
    assert sum(report["repeats"] for report in reports) == (runs - 1) * len(people)
    after = counts(database)
    assert (after["contacts"], after["enrollments"], after["outbox"]) == (6_000, 6_000, 6_000 * STEPS)
