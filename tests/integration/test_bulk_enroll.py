"""A file into a sequence: each contact once, whatever happens on the way."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from cli import wait_for, waiting

from engine.database import Database
from engine.errors import InvalidInput, NotFound, StorageFull, Unavailable
from engine.outbox.plan import Stretch, plan_enrollments
from engine.rules.planning import plan
from engine.wakeups import Wakeups
from producers.bulk import batch as batches
from producers.bulk.run import BulkReport, Progress, run_bulk
from producers.sequences import find_sequence, publish
from schema.definition import parse
from schema.states import Reentry

SEQUENCE = """
sequence: welcome
reentry: {reentry}
steps:
  - key: hello
    type: email
    subject: Hello
    text: Hello
  - key: later
    type: sms
    delay: 2 days
    body: Still there?
"""


@pytest.fixture
def wakeups(redis_url: str) -> Iterator[Wakeups]:
    wakeups = Wakeups(redis_url)
    yield wakeups
    wakeups.close()


@pytest.fixture(autouse=True)
def sequence(database: Database) -> None:
    publish_sequence(database)


def publish_sequence(database: Database, reentry: str = "once") -> None:
    with database.transaction() as session:
        row = session.execute("SELECT id FROM workspaces WHERE key = 'default'").fetchone()
        assert row is not None
        publish(session, row[0], parse(SEQUENCE.format(reentry=reentry)))


@pytest.fixture
def enroll(database: Database, wakeups: Wakeups) -> Callable[..., BulkReport]:
    def enroll(path: Path, **options: Any) -> BulkReport:
        return run_bulk(database, wakeups, "default", "welcome", str(path), **options)

    return enroll


def phone(number: int) -> str:
    """A number for fiction."""
    return f"+1{(212, 415, 312, 713, 206, 303, 617, 404, 512, 602)[number // 100 % 10]}55501{number % 100:02d}"


def write(path: Path, count: int, *, broken: int = 0, first: int = 0) -> Path:
    """A list with that many good records, and a broken one after each of the first ones."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["external_id", "email", "phone", "city"])
        for number in range(first, first + count):
            writer.writerow([f"c{number}", f"p{number}@example.com", phone(number), "Bonn"])
            if number < first + broken:
                writer.writerow([f"b{number}", "nobody", phone(number), "Köln"])
    return path


def query(database: Database, statement: str) -> list[tuple[Any, ...]]:
    with database.transaction() as session:
        return session.execute(statement.encode()).fetchall()


def totals(database: Database) -> dict[str, int]:
    return {
        table: query(database, f"SELECT count(*) FROM {table}")[0][0]
        for table in ("contacts", "enrollments", "outbox", "batch_rejects")
    }


def rejected_lines(report: BulkReport) -> list[int]:
    assert report.rejects_path is not None
    with report.rejects_path.open(newline="", encoding="utf-8") as file:
        return [int(row["line"]) for row in csv.DictReader(file)]


def test_a_file_becomes_contacts_enrollments_rows_and_wakeups(
    database: Database, wakeups: Wakeups, enroll: Callable[..., BulkReport], tmp_path: Path
) -> None:
    seen: list[Progress] = []
    report = enroll(write(tmp_path / "list.csv", 250, broken=3), chunk=100, progress=seen.append)
    assert report == BulkReport(
        enrolled=250,
        repeats=0,
        rejected=3,
        records=253,
        warnings={},
        warning_lines={},
        unread_dates={},
        workspace_timezone="UTC",
        short_lines=0,
        latin1_lines=0,
        rejects_path=tmp_path / "list.csv.rejected.csv",
        resumed_at=0,
        wakeups_warning=None,
        complete=True,
    )
    assert totals(database) == {"contacts": 250, "enrollments": 250, "outbox": 500, "batch_rejects": 0}
    assert wakeups.counts()["waiting"] == 500
    assert rejected_lines(report) == [3, 5, 7]
    assert [progress.done.records for progress in seen] == [0, 100, 200, 253]
    assert [reject.line for progress in seen for reject in progress.rejects] == [3, 5, 7]
    assert seen[-1].position == seen[-1].size == (tmp_path / "list.csv").stat().st_size
    assert query(database, "SELECT records, enrolled, rejected, finished_at IS NOT NULL FROM batches") == [
        (253, 250, 3, True)
    ]


def test_a_report_can_be_written_as_json(enroll: Callable[..., BulkReport], tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f"email,phone,timezone\na@example.com,{phone(1)},Mars\nb@example.com,{phone(2)},UTC\n")
    report = asdict(enroll(path))
    assert report["warnings"] == {"timezone": 1}
    assert report["warning_lines"] == {"timezone": [2]}
    assert json.loads(json.dumps(report, default=str)) == report


def test_the_same_contact_is_enrolled_once(
    database: Database, enroll: Callable[..., BulkReport], tmp_path: Path
) -> None:
    path = tmp_path / "list.csv"
    path.write_text(
        "external_id,email,phone\n"
        f"c1,Ann@Example.com,{phone(1)}\n"
        f",ann@example.com,{phone(1)}\n"
        f"c1,ann@example.com,(415) 555-0101\n"
        f",ANN@EXAMPLE.COM,{phone(1)}\n"
        f"c2,bob@example.com,{phone(2)}\n"
    )
    for chunk in (1, 100):
        report = enroll(path, chunk=chunk)
        assert report.enrolled == (2 if chunk == 1 else 0)
        assert report.enrolled + report.repeats + report.rejected == 5
    assert totals(database)["enrollments"] == 2


def test_keys_of_two_contacts_are_rejected_with_both_named(enroll: Callable[..., BulkReport], tmp_path: Path) -> None:
    path = write(tmp_path / "list.csv", 2)
    with path.open("a") as file:
        file.write(f",p0@example.com,{phone(1)},Bonn\r\n")
    report = enroll(path)
    assert (report.enrolled, report.rejected) == (2, 1)
    assert rejected_lines(report) == [4]
    assert report.rejects_path is not None
    assert "p0@example.com" in report.rejects_path.read_text()


def test_a_sequence_that_always_allows_entry_takes_each_once_per_file(
    database: Database, enroll: Callable[..., BulkReport], tmp_path: Path
) -> None:
    publish_sequence(database, "always")
    path = write(tmp_path / "list.csv", 5)
    path.write_text(path.read_text() + path.read_text().partition("\n")[2])
    for _ in range(2):
        report = enroll(path, chunk=3)
        assert (report.enrolled, report.repeats) == (5, 5)
    assert totals(database)["enrollments"] == 10


def test_ndjson_and_standard_input(
    database: Database, wakeups: Wakeups, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "list.txt"
    path.write_text(f'{{"E-Mail": "a@example.com", "phone": "{phone(1)}", "tags": ["x"]}}\n{{"email": 1}}\n[]\n')
    with path.open("rb") as stdin:
        report = run_bulk(database, wakeups, "default", "welcome", "-", format="ndjson", stdin=stdin)
    assert (report.enrolled, report.rejected) == (1, 2)
    assert report.rejects_path == Path("stdin.rejected.csv")
    assert rejected_lines(report) == [2, 3]
    assert query(database, "SELECT attributes FROM contacts") == [({"tags": ["x"]},)]


def test_a_stopped_batch_goes_on_where_it_was(
    database: Database, wakeups: Wakeups, enroll: Callable[..., BulkReport], tmp_path: Path
) -> None:
    path = write(tmp_path / "list.csv", 400, broken=150)
    answers = iter([False, False, True])
    report = enroll(path, batch="monday", chunk=100, stop=lambda: next(answers))
    assert (report.complete, report.records, report.enrolled, report.rejected) == (False, 200, 100, 100)
    assert report.rejects_path is not None
    report.rejects_path.unlink()
    report = enroll(path, batch="monday", chunk=70)
    assert (report.complete, report.records, report.enrolled, report.rejected) == (True, 550, 400, 150)
    assert (report.repeats, report.resumed_at) == (0, 200)
    assert rejected_lines(report) == [3 + 2 * number for number in range(150)]
    assert totals(database) == {"contacts": 400, "enrollments": 400, "outbox": 800, "batch_rejects": 150}
    assert wakeups.counts()["waiting"] == 800


@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_a_resumed_batch_rejects_what_contradicts_a_line_of_the_run_before(
    database: Database, enroll: Callable[..., BulkReport], tmp_path: Path, form: str
) -> None:
    people = [
        {"email": "a@example.com", "phone": phone(1), "first_name": "Ada"},
        {"email": "b@example.com", "phone": phone(2), "first_name": "Bob"},
        {"email": "A@example.com", "phone": phone(3), "first_name": "Cy"},
        {"email": "b@example.com", "phone": phone(2), "first_name": "BOB"},
    ]
    path = tmp_path / f"list.{form}"
    with path.open("w", newline="") as file:
        if form == "csv":
            writer = csv.DictWriter(file, list(people[0]))
            writer.writeheader()
            writer.writerows(people)
        else:
            file.writelines(json.dumps(one) + "\n" for one in people)
    asked = iter([False, False, True])
    first = enroll(path, batch="monday", chunk=1, stop=lambda: next(asked))
    assert (first.enrolled, first.rejected, first.complete) == (2, 0, False)
    report = enroll(path, batch="monday", chunk=1)
    assert (report.enrolled, report.repeats, report.rejected) == (2, 1, 1)
    line = 4 if form == "csv" else 3
    assert rejected_lines(report) == [line]
    assert report.rejects_path is not None
    assert f"is also on line {line - 2}, with another phone than" in report.rejects_path.read_text()
    assert query(database, "SELECT first_name FROM contacts ORDER BY email_key") == [("Ada",), ("BOB",)]
    enroll(path, dry_run=True, chunk=1)
    assert rejected_lines(report) == [line], "a dry run says the same"


def test_a_finished_batch_is_not_done_again(
    database: Database, enroll: Callable[..., BulkReport], tmp_path: Path
) -> None:
    path = write(tmp_path / "list.csv", 20, broken=2)
    first = enroll(path, batch="monday")
    again = enroll(path, batch="monday")
    assert (again.enrolled, again.repeats, again.rejected, again.records) == (20, 0, 2, 22)
    assert again.resumed_at == 22
    assert rejected_lines(again) == rejected_lines(first) == [3, 5]
    assert len(query(database, "SELECT FROM batches")) == 1


def test_a_batch_keeps_to_its_file(enroll: Callable[..., BulkReport], tmp_path: Path) -> None:
    enroll(write(tmp_path / "list.csv", 5), batch="monday")
    with pytest.raises(InvalidInput, match="begun with a file of other content"):
        enroll(write(tmp_path / "list.csv", 6), batch="monday")
    assert enroll(write(tmp_path / "list.csv", 6), batch="tuesday").enrolled == 1
    with pytest.raises(InvalidInput, match="255 printable"):
        enroll(tmp_path / "list.csv", batch=" ")


def test_a_batch_runs_once_at_a_time(
    database: Database, enroll: Callable[..., BulkReport], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "PATIENCE", 0.3)
    path = write(tmp_path / "list.csv", 300)
    refusals: list[str] = []

    def second(progress: Progress) -> None:
        if progress.done.records == 100:
            with pytest.raises(InvalidInput) as refused:
                enroll(path, batch="monday", rejects_path=str(tmp_path / "r.csv"))
            refusals.append(str(refused.value))

    report = enroll(path, batch="monday", chunk=100, progress=second)
    assert report.enrolled == 300
    assert refusals == ["batch 'monday' is running elsewhere at this moment: wait until that run has ended"]


def test_a_batch_that_is_ending_is_waited_for(
    database: Database, enroll: Callable[..., BulkReport], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "PATIENCE", 60.0)
    path = write(tmp_path / "list.csv", 10)
    row = query(database, "SELECT id FROM sequences")[0]
    holder = database.connect()
    holder.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", (f"cadenza batch {row[0]} monday",))
    ending = threading.Timer(0.5, holder.close)
    ending.start()
    assert enroll(path, batch="monday").enrolled == 10
    ending.join()


KILLED = """
import sys
from engine.database import Database
from engine.wakeups import Wakeups
from producers.bulk.run import run_bulk

def step(progress):
    print(progress.done.records, flush=True)
    sys.stdin.readline()

database_url, redis_url, path = sys.argv[1:]
run_bulk(Database(database_url), Wakeups(redis_url), "default", "welcome", path,
    batch="monday", chunk=200, progress=step)
"""


def test_a_killed_batch_is_resumed_with_nothing_twice_and_nothing_missing(
    database: Database, database_url: str, redis_url: str, enroll: Callable[..., BulkReport], tmp_path: Path
) -> None:
    path = write(tmp_path / "list.csv", 1_000, broken=1_000)
    starts = []
    for delay in (0.0, 0.01, 0.03, 0.06):  # any moment of a chunk must do
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, database_url, redis_url, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            starts.append(int(process.stdout.readline()))
            process.stdin.write(b"\n")
            process.stdin.flush()
            process.stdout.readline()
            process.stdin.write(b"\n")
            process.stdin.flush()
            time.sleep(delay)
            os.kill(process.pid, signal.SIGKILL)
    assert starts == sorted(set(starts))
    report = enroll(path, batch="monday", chunk=333)
    assert report.resumed_at > starts[-1]
    assert (report.enrolled, report.repeats, report.rejected, report.records) == (1_000, 0, 1_000, 2_000)
    assert rejected_lines(report) == [3 + 2 * number for number in range(1_000)]
    assert totals(database) == {"contacts": 1_000, "enrollments": 1_000, "outbox": 2_000, "batch_rejects": 1_000}


def test_runs_that_cross_each_other_both_end_well(database: Database, wakeups: Wakeups, tmp_path: Path) -> None:
    forward = write(tmp_path / "forward.csv", 1_000)
    header, *lines = forward.read_text().splitlines(keepends=True)
    backward = tmp_path / "backward.csv"
    backward.write_text("".join([header, *reversed(lines)]))
    reports: list[BulkReport] = []

    def run(path: Path) -> None:
        reports.append(run_bulk(database, wakeups, "default", "welcome", str(path), chunk=250))

    threads = [threading.Thread(target=run, args=(path,)) for path in (forward, backward)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reports) == 2
    assert sum(report.enrolled for report in reports) == 1_000
    assert sum(report.repeats for report in reports) == 1_000
    assert totals(database)["outbox"] == 2_000


def test_who_is_being_enrolled_by_another_at_that_moment_is_a_repeat(
    database: Database, enroll: Callable[..., BulkReport], tmp_path: Path
) -> None:
    path = write(tmp_path / "list.csv", 3)
    enroll(path)  # so that the contacts are there, and it is not for them that anybody waits
    with database.transaction() as session:
        session.execute("TRUNCATE enrollments, outbox, enroll_events, tasks")
    reports: list[BulkReport] = []
    run = threading.Thread(target=lambda: reports.append(enroll(path)))
    with database.transaction() as other:
        found = find_sequence(other, 1, "welcome")
        stretch = Stretch(1, found.sequence_id, found.version_id, Reentry.ONCE, plan(found.definition))
        assert len(plan_enrollments(other, stretch, [2]).enrollments) == 1
        run.start()
        wait_for(lambda: waiting(database), "the run waits for the other")
    run.join()
    assert [(report.enrolled, report.repeats) for report in reports] == [(2, 1)]
    assert totals(database)["enrollments"] == 3


def test_a_full_disk_for_rejects_stops_before_the_commit(
    database: Database, enroll: Callable[..., BulkReport], tmp_path: Path
) -> None:
    path = write(tmp_path / "list.csv", 100)
    with path.open("a") as file:
        file.write("x,nobody,,\r\n")
    with pytest.raises(StorageFull) as full:
        enroll(path, batch="monday", chunk=50, rejects_path="/dev/full")
    assert "100 records are done, the rest is not" in str(full.value)
    assert totals(database) == {"contacts": 100, "enrollments": 100, "outbox": 200, "batch_rejects": 0}
    report = enroll(path, batch="monday")
    assert (report.enrolled, report.rejected, report.resumed_at) == (100, 1, 100)


def test_a_rejects_file_of_an_earlier_run_is_removed(enroll: Callable[..., BulkReport], tmp_path: Path) -> None:
    path = write(tmp_path / "list.csv", 1, broken=1)
    assert enroll(path).rejects_path is not None
    write(path, 1)
    assert enroll(path).rejects_path is None
    assert not (tmp_path / "list.csv.rejected.csv").exists()


def test_mended_rejects_are_enrolled(database: Database, enroll: Callable[..., BulkReport], tmp_path: Path) -> None:
    report = enroll(write(tmp_path / "list.csv", 3, broken=2))
    assert report.rejects_path is not None
    mended = tmp_path / "mended.csv"
    text = report.rejects_path.read_text()
    mended.write_text(text.replace(",nobody,", ",q0@example.com,", 1).replace(phone(0), phone(50)))
    report = enroll(mended)
    assert (report.enrolled, report.rejected) == (1, 1)
    assert query(database, "SELECT attributes FROM contacts WHERE external_id = 'b0'") == [({"city": "Köln"},)]


def test_without_redis_people_are_enrolled_with_a_warning(database: Database, tmp_path: Path) -> None:
    nowhere = Wakeups("redis://127.0.0.1:1/0")
    report = run_bulk(database, nowhere, "default", "welcome", str(write(tmp_path / "list.csv", 300)), chunk=100)
    nowhere.close()
    assert report.enrolled == 300
    assert report.wakeups_warning is not None
    assert report.wakeups_warning.startswith("Redis")
    assert "\n" not in report.wakeups_warning


def test_a_dry_run_counts_what_a_run_would_do_and_writes_nothing(
    database: Database, wakeups: Wakeups, enroll: Callable[..., BulkReport], tmp_path: Path
) -> None:
    enroll(write(tmp_path / "before.csv", 30))
    before = totals(database)
    path = write(tmp_path / "list.csv", 100, broken=10, first=20)
    with path.open("a") as file:
        file.write(f",P50@example.com,{phone(50)},\r\n")
        file.write(f",p200@example.com,{phone(200)},\r\nc200,,,\r\n,p51@example.com,{phone(52)},\r\n")
    waiting = wakeups.counts()
    dry = enroll(path, dry_run=True, chunk=1_000, batch="monday")
    assert totals(database) == before
    assert query(database, "SELECT FROM batches WHERE name IS NOT NULL") == []
    assert wakeups.counts() == waiting
    lines = rejected_lines(dry)
    real = enroll(path, chunk=1_000)
    assert (dry.enrolled, dry.repeats, dry.rejected) == (real.enrolled, real.repeats, real.rejected)
    assert (real.enrolled, real.repeats) == (91, 11)
    assert lines == rejected_lines(real)


def test_a_dry_run_meets_contacts_again_across_chunks(enroll: Callable[..., BulkReport], tmp_path: Path) -> None:
    path = write(tmp_path / "list.csv", 40)
    path.write_text(path.read_text() + path.read_text().partition("\n")[2].replace("@example", "@EXAMPLE"))
    dry = enroll(path, dry_run=True, chunk=7)
    assert (dry.enrolled, dry.repeats) == (40, 40)


def test_what_can_not_be_worked_with_is_refused_before_anything_is_done(
    database: Database, wakeups: Wakeups, enroll: Callable[..., BulkReport], tmp_path: Path
) -> None:
    path = write(tmp_path / "list.csv", 1)
    with pytest.raises(NotFound, match="welcom"):
        run_bulk(database, wakeups, "default", "welcom", str(path))
    with pytest.raises(NotFound, match="acme"):
        run_bulk(database, wakeups, "acme", "welcome", str(path))
    with pytest.raises(InvalidInput, match="region"):
        enroll(path, region="Mars")
    path.write_text("name,e-mial\nAnn,a@example.com\n")
    with pytest.raises(InvalidInput, match=r"no column email and phone, which sequence 'welcome' needs.*'e-mial'"):
        enroll(path)
    with database.transaction() as session:
        session.execute("UPDATE sequences SET status = 'paused'")
    with pytest.raises(InvalidInput, match="is paused: it takes no enrollments; resume it first"):
        enroll(write(path, 1))
    assert totals(database) == {"contacts": 0, "enrollments": 0, "outbox": 0, "batch_rejects": 0}
    assert query(database, "SELECT FROM batches") == []


def test_a_lost_database_is_told_in_one_line_with_what_was_done(
    database: Database, enroll: Callable[..., BulkReport], tmp_path: Path
) -> None:
    path = write(tmp_path / "list.csv", 300)

    def break_it(progress: Progress) -> None:
        if progress.done.records == 100:
            with database.connect() as session:
                session.execute("ALTER TABLE outbox ADD CONSTRAINT never CHECK (id < 0) NOT VALID")

    with pytest.raises(Unavailable) as lost:
        enroll(path, batch="monday", chunk=100, progress=break_it)
    assert "100 records are done: run it again with the same --batch to go on" in str(lost.value)
    assert "\n" not in str(lost.value)
    with database.transaction() as session:
        session.execute("ALTER TABLE outbox DROP CONSTRAINT never")
    assert enroll(path, batch="monday").enrolled == 300
