"""`make demo` as users run it: it proves what it claims, ends by itself, and leaves nothing running."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from deploy.local.clean import clean
from deploy.local.locks import is_locked
from deploy.sandbox.ledger import read_ledger
from engine.database import Database
from engine.wakeups import Wakeups
from producers.enroll_event import EnrollEvent, publish
from producers.sequences import publish as publish_sequence
from schema.definition import parse

#: Real seconds that anything may take.
PATIENCE = 150

VIOLATIONS = ("lost", "duplicated", "invented", "early", "barred", "out of order", "wrong", "in doubt")


class Demo:
    """A demo that runs in a data folder of its own."""

    def __init__(self, data_dir: Path, *options: str, **environment: str) -> None:
        self.data_dir = data_dir
        self.place = data_dir / "demo"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "deploy.demo", *options],
            env={**os.environ, "CADENZA_DATA_DIR": str(data_dir), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.said: list[str] = []
        self.seen: set[psutil.Process] = set()

    def until(self, what: str) -> None:
        """Wait until it says something on standard error."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line)
            if what in line:
                break
        else:
            pytest.fail(f"it ended without {what!r}: {''.join(self.said)}")
        self.look()

    def look(self) -> None:
        """Remember the processes that it has started."""
        self.seen |= set(psutil.Process(self.process.pid).children(recursive=True))

    def ended(self) -> tuple[int, str, str]:
        """Wait until it has ended: the exit code, the report, and what else it said."""
        out, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, "".join(self.said) + errors

    def wait_until_nothing_is_left(self, seconds: float = PATIENCE) -> None:
        deadline = time.monotonic() + seconds
        while left := [process for process in self.seen if is_alive(process)]:
            assert time.monotonic() < deadline, left
            time.sleep(0.1)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate(timeout=PATIENCE)


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs; one that has ended and that nobody asks for does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A folder that the servers' user may pass through."""
    with tempfile.TemporaryDirectory(prefix="cadenza-demo-") as folder:
        if os.geteuid() == 0:
            Path(folder).chmod(0o711)
        yield Path(folder) / "data"
        clean(Path(folder) / "data" / "demo")


@pytest.fixture
def start(data_dir: Path) -> Iterator[Callable[..., Demo]]:
    """Start a demo, which is ended with the test."""
    demos: list[Demo] = []

    def start_one(*options: str, **environment: str) -> Demo:
        demos.append(Demo(data_dir, *options, **environment))
        return demos[-1]

    yield start_one
    for demo in demos:
        demo.kill()
        demo.wait_until_nothing_is_left()


def assert_well(report: str) -> int:
    """The report says that all went well; tell how many messages it was about."""
    found = re.search(r"^  ([\d,]+) of ([\d,]+) messages were accepted exactly once$", report, re.MULTILINE)
    assert found is not None, report
    assert found[1] == found[2]
    assert "  " + ", ".join(f"{kind} 0" for kind in VIOLATIONS) in report
    assert "Every message that should have gone out was accepted exactly once." in report
    return int(found[1].replace(",", ""))


def test_all_goes_out_once_though_redis_is_emptied(start: Callable[..., Demo]) -> None:
    demo = start("--flush-redis")
    demo.until("FLUSHALL")
    code, report, said = demo.ended()
    assert code == 0, report + said
    messages = assert_well(report)
    assert messages > 10_000
    assert len(list(read_ledger(demo.place / "sandbox.ledger.ndjson"))) == messages

    steps = re.findall(r"^  [a-z-]+ +(?:sms|email) +(\d+) +(\d+) +(\d+) +(\d+) .* ms$", report, re.MULTILINE)
    assert len(steps) == 12
    assert sum(int(sent) for _, sent, _, _ in steps) == messages
    assert all(due == sent and failed == skipped == "0" for due, sent, failed, skipped in steps)

    for sequence in ("sms-follow-up", "email-and-sms"):
        rejects = demo.place / f"{sequence}.rejected.csv"
        assert str(rejects) in report
        assert rejects.read_text().startswith("line,reason,")
    assert re.search(r"^ +\d+  phone is missing \(lines [\d, .]+\)$", report, re.MULTILINE)
    demo.wait_until_nothing_is_left(0)
    assert len(demo.seen) > 5

    audit = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "audit", "--json"],
        env={**os.environ, "CADENZA_DATA_DIR": str(demo.place)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert json.loads(audit.stdout)["accepted_once"] == messages


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_the_middle(start: Callable[..., Demo], number: signal.Signals) -> None:
    demo = start()
    demo.until("messages sent")
    os.killpg(demo.process.pid, number)
    code, report, said = demo.ended()
    assert (code, report) == (128 + number, "")
    assert said.rstrip().endswith("demo: ended before its time; nothing is left running")
    assert "Traceback" not in said
    demo.wait_until_nothing_is_left(0)
    assert not is_locked(demo.data_dir / "demo.lock")


def test_a_second_one_has_to_wait_and_a_signal_ends_the_first_while_it_starts(start: Callable[..., Demo]) -> None:
    first = start()
    first.until("starting Postgres")
    code, report, said = start().ended()
    assert (code, report) == (1, "")
    assert re.fullmatch(r"demo: another demo runs in .*: wait until it has ended.*\n", said)
    first.look()
    first.process.send_signal(signal.SIGINT)
    code, _, said = first.ended()
    assert code == 128 + signal.SIGINT, said
    assert "Traceback" not in said
    first.wait_until_nothing_is_left(0)


def test_it_ends_when_its_workers_do(start: Callable[..., Demo]) -> None:
    demo = start()
    demo.until("messages sent")
    [workers] = [process for process in demo.seen if "deploy.demo.workers" in process.cmdline()]
    workers.kill()
    code, report, said = demo.ended()
    assert (code, report) == (1, "")
    assert "demo: the workers ended by themselves: see" in said
    assert "Traceback" not in said
    demo.wait_until_nothing_is_left()


def test_killed_it_leaves_nothing_and_the_next_one_begins_anew(start: Callable[..., Demo]) -> None:
    demo = start()
    demo.until("messages sent")
    demo.kill()
    demo.wait_until_nothing_is_left()
    following = start()
    following.until("messages sent")
    following.process.send_signal(signal.SIGTERM)
    following.ended()
    following.wait_until_nothing_is_left(0)


def test_on_given_servers_it_leaves_no_trace(
    start: Callable[..., Demo], database: Database, database_url: str, redis_url: str
) -> None:
    demo = start("--rate", "200000", CADENZA_DATABASE_URL=database_url, CADENZA_REDIS_URL=redis_url)
    demo.until("messages sent")
    code, report, said = demo.ended()
    assert code == 0, report + said
    assert_well(report)
    demo.wait_until_nothing_is_left(0)
    assert_no_trace(database)


def test_interrupted_on_given_servers_it_leaves_no_trace(
    start: Callable[..., Demo], database: Database, database_url: str, redis_url: str
) -> None:
    demo = start(CADENZA_DATABASE_URL=database_url, CADENZA_REDIS_URL=redis_url)
    demo.until("messages sent")
    demo.process.send_signal(signal.SIGINT)
    code, _, _ = demo.ended()
    assert code == 128 + signal.SIGINT
    assert_no_trace(database)


def assert_no_trace(database: Database) -> None:
    """Nothing of the demo is in the database, and the sequence clock shows real time."""
    with database.transaction() as session:
        for table in ("outbox", "attempt_records", "enrollments", "contacts", "sequences", "batches"):
            assert session.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() == (0,), table
        assert session.execute("SELECT array_agg(key) FROM workspaces").fetchone() == (["default"],)
        apart = session.execute("SELECT abs(extract(epoch FROM sequence_now() - clock_timestamp()))").fetchone()
    assert apart is not None
    assert apart[0] < 1


def test_it_does_not_move_the_clock_of_others(
    start: Callable[..., Demo], database: Database, database_url: str, redis_url: str
) -> None:
    with database.transaction() as session:
        publish_sequence(session, 1, parse("sequence: theirs\nsteps: [{key: a, type: sms, delay: 1 day, body: Hi}]"))
    wakeups = Wakeups(redis_url)
    publish(database, wakeups, EnrollEvent("theirs", phone="+12025550101"))
    wakeups.close()
    code, _, said = start(CADENZA_DATABASE_URL=database_url, CADENZA_REDIS_URL=redis_url).ended()
    assert code == 1
    assert "demo: 1 steps of others wait in this database" in said
    with database.transaction() as session:
        assert session.execute("SELECT count(*), max(rate) FROM clock").fetchone() == (1, 1)
        assert session.execute("SELECT status FROM outbox").fetchall() == [("pending",)]


def test_it_does_not_run_beside_other_workers(start: Callable[..., Demo], database_url: str, redis_url: str) -> None:
    with psycopg.connect(database_url, application_name="cadenza worker"):
        code, _, said = start(CADENZA_DATABASE_URL=database_url, CADENZA_REDIS_URL=redis_url).ended()
    assert code == 1
    assert "demo: workers run on this database" in said


@pytest.mark.parametrize(
    ("options", "environment", "says"),
    [
        (
            ["--flush-redis"],
            {"CADENZA_REDIS_URL": "redis://127.0.0.1:1/0"},
            "--flush-redis would empty the Redis of CADENZA_REDIS_URL",
        ),
        (
            [],
            {
                "CADENZA_ENVIRONMENT": "production",
                "CADENZA_DATABASE_URL": "postgresql://127.0.0.1:1/x",
                "CADENZA_REDIS_URL": "redis://127.0.0.1:1/0",
                "CADENZA_TWILIO_ACCOUNT_SID": "AC1",
                "CADENZA_TWILIO_AUTH_TOKEN": "t",
                "CADENZA_TWILIO_FROM": "+15005550006",
                "CADENZA_SMTP_URL": "smtp://127.0.0.1:1",
            },
            "not where CADENZA_ENVIRONMENT is production",
        ),
        (["--rate", "0"], {}, "--rate is the sequence seconds in a real second"),
    ],
)
def test_what_it_refuses(
    start: Callable[..., Demo], options: list[str], environment: dict[str, str], says: str
) -> None:
    code, report, said = start(*options, **environment).ended()
    assert (code, report) == (2, "")
    assert said.count("\n") == 1, said
    assert says in said
