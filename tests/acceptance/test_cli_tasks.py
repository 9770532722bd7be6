"""Human tasks from the command line, for people and for programs."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli import Cli, ReadyCli, ready_server

from engine.settings import Settings

VISIT = """
sequence: visit
steps:
  - {key: ring, type: call, name: Ring them, priority: high, outcomes: [reached, not_reached]}
  - {key: write, type: manual_email, delay: 1 day, assignee: nina}
"""


@pytest.fixture(scope="module")
def server() -> Iterator["subprocess.Popen[bytes]"]:
    with ready_server() as server:
        yield server


@pytest.fixture
def cli(settings: Settings, tmp_path: Path, server: "subprocess.Popen[bytes]") -> Cli:
    return ReadyCli(settings, tmp_path, server)


def tasks(cli: Cli, *options: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = cli("tasks", *options, "--json").check(0).document["tasks"]
    return listed


def test_people_work_on_tasks(cli: Cli) -> None:
    cli.file("visit.yaml", VISIT)
    cli("apply", "visit.yaml").check(0)
    enrolled = cli("publish", "visit", "--email", "ada@example.com", "--first-name", "Ada", "--json").check(0)
    number = str(enrolled.document["enrollment_id"])
    assert cli("tasks").check(0).out == "no active tasks\n"
    ring, write = tasks(cli, "--state", "all")
    assert (ring["step"], ring["state"], ring["name"], ring["priority"]) == ("ring", "pending", "Ring them", "high")
    assert (write["step"], write["state"], write["due_at"]) == ("write", "pending", None)
    assert write["contact"] == {
        "id": 1,
        "external_id": None,
        "email": "ada@example.com",
        "phone": None,
        "first_name": "Ada",
        "last_name": None,
    }
    assert (write["step_number"], write["steps"], write["paused"], write["due"]) == (2, 2, False, None)

    cli("task", "reassign", number, "write", "olaf").check(0)
    assert [task["step"] for task in tasks(cli, "--state", "pending", "--assignee", "olaf")] == ["write"]
    cli("task", "snooze", number, "ring", "2 hours").check(0)

    early = cli("complete", number, "write", "--json").check(0)
    assert early.document["warnings"] == ["out of order: before it ring is not done yet"]
    assert early.err == "cadenza: out of order: before it ring is not done yet\n"
    done = cli("complete", number, "ring", "--outcome", "reached", "--by", "olaf", "--note", "Nice").check(0)
    assert done.out == f"enrollment {number}: ring completed\n"
    again = cli("complete", number, "ring").check(0)
    assert again.out == f"enrollment {number}: ring was completed already: nothing is new\n"
    (told,) = (line for line in cli("tasks", "--state", "completed").out.splitlines() if "Ring them" in line)
    assert told.startswith("completed  due ")
    assert told.endswith("came to reached")
    assert cli("task", "reopen", number, "ring").check(0).out == f"enrollment {number}: ring reopened\n"
    cli("task", "skip", number, "ring").check(0)
    assert cli("complete", number, "ring").check(2).err == (
        f"cadenza: task 'ring' of enrollment {number} can't be completed: it is skipped\n"
    )

    added = cli("task", "add", number, "Send flowers", "--priority", "low", "--json").check(0).document["step"]
    assert [task["name"] for task in tasks(cli)] == ["Send flowers"]
    cli("task", "snooze", number, added, "1 day").check(0)
    cli("task", "reassign", number, added, "nina").check(0)
    cli("complete", number, added).check(0)
    cli("task", "reopen", number, added).check(0)
    cli("task", "skip", number, added).check(0)
    assert tasks(cli) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["complete", "7", "ring"], "no enrollment 7 in this workspace"),
        (["complete", "7", "by-hand:x"], "'by-hand:x' names no task: write by-hand:NUMBER"),
        (["task", "snooze", "7", "ring", "2"], "task snooze: '2' has no unit"),
        (["task", "add", "7", " "], "task add: the name is 1 to 200 characters"),
        (["task", "reassign", "7", "ring", ""], "task reassign: the assignee is 1 to 200 characters"),
        (["tasks", "--state", "open"], "Invalid value for '--state'"),
    ],
)
def test_what_cannot_be_done_is_said(cli: Cli, arguments: list[str], says: str) -> None:
    ran = cli(*arguments).check(2)
    assert ran.err.startswith("cadenza: ")
    assert says in ran.err


def test_a_list_says_whom_a_task_is_about_and_when_it_is_due(cli: Cli) -> None:
    script = "name: Ring them, description: 'Ask {{ contact.first_name }}'"
    cli.file("visit.yaml", VISIT.replace("name: Ring them", script))
    cli("apply", "visit.yaml").check(0)
    cli("publish", "visit", "--email", "ada@example.com", "--phone", "+12025550100", "--first-name", "Ada").check(0)
    cli("pause", "1").check(0)
    head, whom, where, script, *_ = cli("tasks", "--state", "pending").check(0).out.splitlines()
    assert head.startswith("pending  due ")
    assert head.endswith("UTC (today)  high priority  nobody's  Ring them (call)  paused")
    assert whom == "    Ada  +12025550100  ada@example.com"
    assert where == "    visit, step ring (1 of 2), enrollment 1"
    assert script == "    Ask Ada"
    assert [task["due"] for task in tasks(cli, "--state", "pending", "--due", "today")] == ["today"]
    assert tasks(cli, "--state", "pending", "--due", "tomorrow") == []
    hers = tasks(cli, "--state", "pending", "--contact", "ADA@example.com")
    assert [task["step"] for task in hers] == ["ring", "write"]
    cli("clock", "advance", "3 days").check(0)
    assert [task["due"] for task in tasks(cli, "--state", "pending", "--overdue")] == ["overdue"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--due", "yesterday"], "'yesterday' is no day: expected today, tomorrow or"),
        (["--due", "today", "--overdue"], "give --due or --overdue, not both"),
        (["--contact", "nobody@example.com"], "no contact 'nobody@example.com'"),
        (["--priority", "urgent"], "high"),
    ],
)
def test_a_list_refuses_what_it_does_not_know(cli: Cli, arguments: list[str], says: str) -> None:
    assert says in cli("tasks", *arguments).check(2).complaint
