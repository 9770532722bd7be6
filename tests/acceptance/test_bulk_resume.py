"""`cadenza enroll --batch`, ended in every way: run again, it gives exactly what an undisturbed run gives."""

import random
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from cli import Cli, Ran, ReadyCli, Running, counts, fresh_database, query, ready_server, wait_for, waiting
from pydantic import SecretStr

from engine.database import Database
from engine.settings import Settings
from producers import workspaces
from producers.sequences import publish
from schema.definition import parse

RECORDS = 11_500
CHUNK = 5_000
REJECTED_IN_PART = 3

SEQUENCE = """
sequence: welcome
steps:
  - {key: hello, type: email, subject: "Hello {{ custom.city }}", text: Hello}
  - {key: later, type: sms, delay: 2 days, body: "Still there?"}
"""

#: All that a run leaves behind of its contacts, enrollments and rows; ids and moments are each run's own.
FACTS = """
SELECT c.external_id, c.email, c.email_key, c.phone, c.first_name, c.last_name, c.timezone, c.attributes,
    e.status, e.data, e.reentry, e.batch_id = b.id, o.step_order, o.step_key, o.type, o.status, o.fence,
    o.due_at - e.enrolled_at
FROM contacts c LEFT JOIN enrollments e ON e.contact_id = c.id LEFT JOIN outbox o ON o.enrollment_id = e.id
LEFT JOIN batches b ON b.workspace_id = c.workspace_id
WHERE c.workspace_id = (SELECT id FROM workspaces WHERE key = %s)
"""
OF_BATCH = """
SELECT b.records, b.enrolled, b.repeats, b.rejected, b.finished_at IS NOT NULL,
    (SELECT count(*) FROM batch_rejects r WHERE r.batch_id = b.id)
FROM batches b JOIN workspaces w ON w.id = b.workspace_id WHERE w.key = %s
"""

#: Makes the transaction of one chunk wait, just before it is committed, for a lock that the test holds.
GATE = """
CREATE OR REPLACE FUNCTION wait_at_the_gate() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NEW; END';
CREATE TRIGGER gate BEFORE UPDATE ON batches FOR EACH ROW
    WHEN (NEW.records = {records} AND OLD.records <> NEW.records) EXECUTE FUNCTION wait_at_the_gate();
"""


@dataclass
class Place:
    """A database with workspaces, in each of which the same list is to be enrolled."""

    database: Database
    cli: Cli
    number: Iterator[int]

    def workspace(self) -> str:
        """Make a workspace that has the sequence."""
        key = f"run-{next(self.number)}"
        with self.database.transaction() as session:
            publish(session, workspaces.add(session, key).id, parse(SEQUENCE))
        return key

    def arguments(self, workspace: str, file: str = "list.csv") -> tuple[str, ...]:
        """The command that is to be repeated."""
        rejects = f"{workspace}.rejected.csv"
        return ("enroll", "welcome", file, "--batch", "monday", "-w", workspace, "--rejects", rejects, "--json")

    def records(self, workspace: str) -> int:
        """How many records are done."""
        rows = query(self.database, OF_BATCH, workspace)
        return int(rows[0][0]) if rows else 0

    def rejects(self, workspace: str) -> list[str]:
        """The rejects file by lines, without the ids of contacts."""
        text = (self.cli.folder / f"{workspace}.rejected.csv").read_text()
        return re.sub(r"(?<=is contact )\d+", "N", text).splitlines()

    def again(self, workspace: str) -> Ran:
        """Run the command to its end; the server may need a moment to notice that the run before was killed."""
        while (ran := self.cli(*self.arguments(workspace))).code == 2 and "running elsewhere" in ran.err:
            assert waiting(self.database) == 0
        return ran

    @contextmanager
    def gate(self, records: int) -> Iterator[None]:
        """Stop whoever would have done so many records, in the middle of the transaction."""
        with self.database.connect() as holder, self.database.connect() as session:
            holder.execute("SELECT pg_advisory_lock(4711)")
            session.execute(GATE.format(records=records).encode())
            try:
                yield
            finally:
                holder.execute("SELECT pg_advisory_unlock_all()")
                session.execute("DROP TRIGGER gate ON batches")

    def held(self, running: Running) -> None:
        """Wait until a run stands at the gate."""
        wait_for(lambda: waiting(self.database) == 1 or running.process.poll() is not None, "a run at the gate")
        assert running.process.poll() is None


def make_list(path: Path) -> None:
    """People with real-life dirt: repeats near and far, invalid lines, line breaks in quotes, an odd encoding."""
    lines = ["external_id,email,phone,first_name,city,notes"]
    for number in range(RECORDS - 200):
        email = f"p{number}@" if number % 97 == 5 else f"p{number}@example.com"
        phone = "12" if number % 331 == 7 else f"+1212{2_000_000 + number}"
        notes = '"on two\nlines"' if number % 50 == 0 else ""
        lines.append(f"c{number},{email},{phone},Ann,Köln,{notes}")
    lines.extend(f"c{number},p{number}@example.com,,Anna,Bonn," for number in range(50, 8_000, 199))
    lines.extend(
        f"c{number},p{number + 1}@example.com,+1212{2_000_000 + number},Eve,," for number in range(0, 6_000, 160)
    )
    lines.extend(lines[1_000 : 1_000 + RECORDS - len(lines) + 1])
    path.write_bytes("\n".join(lines).encode().replace("Köln,".encode(), "Köln,".encode("latin-1"), 40))


@pytest.fixture(scope="module")
def place(servers: Settings, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    assert servers.database_url is not None
    with fresh_database(servers.database_url.get_secret_value(), template) as url:
        folder = tmp_path_factory.mktemp("bulk")
        database = Database(url, name="cadenza-test")
        settings = servers.model_copy(update={"database_url": SecretStr(url), "data_dir": folder / "data"})
        with ready_server() as server:
            yield Place(database, ReadyCli(settings, folder, server), count(1))
        database.close()


@pytest.fixture(scope="module")
def undisturbed(place: Place) -> str:
    """The workspace of a run that nobody disturbed."""
    make_list(place.cli.folder / "list.csv")
    workspace = place.workspace()
    report = place.cli(*place.arguments(workspace)).check(REJECTED_IN_PART).document
    assert report["complete"]
    assert report["records"] == report["enrolled"] + report["repeats"] + report["rejected"] >= RECORDS
    assert min(report["enrolled"], report["repeats"], report["rejected"], report["latin1_lines"]) > 0
    return workspace


def assert_same(place: Place, workspace: str, undisturbed: str) -> None:
    """Contacts, enrollments, rows, counts and rejects are those of the undisturbed run."""
    for first, second in ((workspace, undisturbed), (undisturbed, workspace)):
        assert query(place.database, f"{FACTS} EXCEPT ALL {FACTS} LIMIT 5", first, second) == []
    assert query(place.database, OF_BATCH, workspace) == query(place.database, OF_BATCH, undisturbed)
    assert place.rejects(workspace) == place.rejects(undisturbed)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_killed_at_any_moment_and_run_again_it_is_as_if_undisturbed(place: Place, undisturbed: str, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 (chooses moments)
    workspace = place.workspace()
    for moment in ("start", "gate", "progress", "progress"):
        before = place.records(workspace)
        if moment == "gate":
            with place.gate(min(before // CHUNK + chance.choice([1, 2]), 2) * CHUNK):
                running = place.cli.start(*place.arguments(workspace))
                wait_for(lambda run=running: waiting(place.database) == 1 or run.process.poll() is not None, "the gate")
                running.kill()
            wait_for(lambda: waiting(place.database) == 0, "the server notices")
            continue
        running = place.cli.start(*place.arguments(workspace))
        if moment == "progress":
            wait_for(
                lambda run=running, done=before: place.records(workspace) > done or run.process.poll() is not None,
                "some progress",
            )
            time.sleep(chance.uniform(0, 0.3))
        else:
            time.sleep(chance.uniform(0, 2.5))
        running.kill()
    assert place.again(workspace).check(REJECTED_IN_PART).document["complete"]
    assert_same(place, workspace, undisturbed)


def test_told_to_stop_it_finishes_its_chunk_and_says_how_to_go_on(place: Place, undisturbed: str) -> None:
    workspace = place.workspace()
    for done, tell in ((CHUNK, signal.SIGTERM), (2 * CHUNK, signal.SIGINT)):
        with place.gate(done):
            running = place.cli.start(*place.arguments(workspace))
            place.held(running)
            running.tell(tell)
        ran = running.ended().check(REJECTED_IN_PART)
        assert not ran.document["complete"]
        assert "stopped before the end" in ran.err
        assert "the same command goes on" in ran.err
        assert place.records(workspace) == ran.document["records"] == done
    ran = place.again(workspace).check(REJECTED_IN_PART)
    assert ran.document["complete"]
    assert ran.document["resumed_at"] == 2 * CHUNK
    assert_same(place, workspace, undisturbed)


def test_the_same_batch_at_once_twice_is_run_once(place: Place, undisturbed: str) -> None:
    workspace = place.workspace()
    with place.gate(2 * CHUNK):
        running = place.cli.start(*place.arguments(workspace))
        place.held(running)
        refused = place.cli(*place.arguments(workspace)).check(2)
        assert "batch 'monday' is running elsewhere" in refused.complaint
        assert refused.out == ""
    assert running.ended().check(REJECTED_IN_PART).document["complete"]
    assert_same(place, workspace, undisturbed)


def test_a_database_that_drops_the_connection_costs_one_line_and_a_repetition(place: Place, undisturbed: str) -> None:
    workspace = place.workspace()
    with place.gate(2 * CHUNK):
        running = place.cli.start(*place.arguments(workspace))
        place.held(running)
        query(
            place.database,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'cadenza command'",
        )
        ran = running.ended().check(1)
    (complaint,) = (line for line in ran.err.splitlines() if not line.startswith(("line ", "more lines ")))
    assert complaint.startswith("cadenza: Postgres: ")
    assert f"{CHUNK} records are done: run it again with the same --batch to go on" in complaint
    assert place.again(workspace).check(REJECTED_IN_PART).document["complete"]
    assert_same(place, workspace, undisturbed)


def test_a_finished_batch_is_told_again_and_changes_nothing(place: Place, undisturbed: str) -> None:
    rejects = place.cli.folder / f"{undisturbed}.rejected.csv"
    known, before = rejects.read_bytes(), counts(place.database)
    rejects.unlink()
    ran = place.again(undisturbed).check(REJECTED_IN_PART)
    assert ran.document["resumed_at"] == ran.document["records"]
    assert ran.document["complete"]
    assert rejects.read_bytes() == known
    assert counts(place.database) == before


def test_a_batch_is_never_continued_with_another_file(place: Place, undisturbed: str) -> None:
    place.cli.file("other.csv", "email,phone\nx@example.com,+12125550123\n")
    before = counts(place.database), query(place.database, OF_BATCH, undisturbed)
    rejects = (place.cli.folder / f"{undisturbed}.rejected.csv").read_bytes()
    ran = place.cli(*place.arguments(undisturbed, "other.csv")).check(2)
    assert "batch 'monday' was begun with a file of other content" in ran.complaint
    assert (counts(place.database), query(place.database, OF_BATCH, undisturbed)) == before
    assert (place.cli.folder / f"{undisturbed}.rejected.csv").read_bytes() == rejects


def test_standard_input_is_resumed_too(place: Place, undisturbed: str) -> None:
    workspace = place.workspace()
    content = (place.cli.folder / "list.csv").read_bytes()
    with place.gate(2 * CHUNK):
        running = place.cli.start(*place.arguments(workspace, "-"), given=content)
        place.held(running)
        running.kill()
    wait_for(lambda: waiting(place.database) == 0, "the server notices")
    document: dict[str, Any] = place.cli(*place.arguments(workspace, "-"), given=content).check(3).document
    assert (document["resumed_at"], document["complete"]) == (CHUNK, True)
    assert_same(place, workspace, undisturbed)
