"""One enrollment's own steps, from the command line: at another time, or taken out."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from cli import Cli, ReadyCli, ready_server

from engine.settings import Settings

VISIT = """
sequence: visit
name: Visit
steps:
  - {key: hello, type: email, delay: 1 day, subject: Hi, text: Hello}
  - {key: again, type: email, delay: 1 day, subject: Again, text: Still there}
  - {key: ring, type: call, delay: 1 day, name: Ring them}
  - {key: bye, type: email, delay: 2 days, subject: Bye, text: Bye}
"""


@pytest.fixture(scope="module")
def server() -> Iterator["subprocess.Popen[bytes]"]:
    with ready_server() as server:
        yield server


@pytest.fixture
def visit(settings: Settings, tmp_path: Path, server: "subprocess.Popen[bytes]") -> Cli:
    cli = ReadyCli(settings, tmp_path, server)
    cli.file("visit.yaml", VISIT)
    cli("apply", "visit.yaml").check(0)
    cli("publish", "visit", "--email", "ada@example.com", "--first-name", "Ada").check(0)
    return cli


def test_a_step_is_due_at_another_time_and_those_behind_it_keep_their_distance(visit: Cli) -> None:
    before = {step["step"]: step["due_at"] for step in visit("explain", "1", "--json").check(0).document["steps"]}
    told = visit("reschedule", "1", "hello", "--delay", "3 days").check(0).out
    assert "hello due " in told
    assert "3 days after the enrollment" in told
    explained = visit("explain", "1", "--json").check(0).document
    after = {step["step"]: step["due_at"] for step in explained["steps"]}
    assert [after[key][:10] > before[key][:10] for key in ("hello", "again", "ring")] == [True, True, True]
    assert after["bye"] is None
    assert "modified" in visit("explain", "1").check(0).out

    waits = visit("reschedule", "1", "bye", "--delay", "5 days").check(0).out
    assert waits == "enrollment 1: bye 5 days after the step before, when what it waits for has ended\n"


def test_a_time_needs_a_zone_and_one_of_both_ways_to_say_it(visit: Cli) -> None:
    assert "has no zone" in visit("reschedule", "1", "hello", "--at", "2030-01-01").check(2).complaint
    assert "--delay" in visit("reschedule", "1", "hello").check(2).complaint
    both = visit("reschedule", "1", "hello", "--at", "2030-01-01T09:00Z", "--delay", "1 day").check(2)
    assert "--delay" in both.complaint
    assert "unknown step 'nope'" in visit("reschedule", "1", "nope", "--delay", "1 day").check(2).complaint
    assert "9" in visit("reschedule", "9", "hello", "--delay", "1 day").check(2).complaint


def test_a_step_is_taken_out_of_one_enrollment(visit: Cli) -> None:
    assert (
        visit("delete-step", "1", "again").check(0).out == "enrollment 1: again deleted; the enrollment is modified\n"
    )
    assert "is skipped" in visit("delete-step", "1", "again").check(2).complaint
    (again,) = [step for step in visit("explain", "1", "--json").check(0).document["steps"] if step["step"] == "again"]
    assert (again["status"], again["reason"]) == ("skipped", "deleted")
    (listed,) = visit("enrollments", "--json").check(0).document["enrollments"]
    assert listed["modified"]
    assert "active, modified" in visit("enrollments").check(0).out


def test_a_task_that_somebody_has_is_deleted_only_when_asked_twice(visit: Cli, settings: Settings) -> None:
    assert settings.database_url is not None
    with psycopg.connect(settings.database_url.get_secret_value()) as connection:
        connection.execute("UPDATE outbox SET status = 'skipped', reason = 'x' WHERE step_key IN ('hello', 'again')")
        connection.execute("UPDATE outbox SET status = 'open' WHERE step_key = 'ring'")
    asked = visit("delete-step", "1", "ring").check(2).complaint
    assert "task 'ring' of enrollment 1 is active, and nobody has it: it is deleted: add --yes" in asked
    assert visit("delete-step", "1", "ring", "--yes").check(0).out == (
        "enrollment 1: ring deleted; the enrollment is modified\n"
    )
    explained = visit("explain", "1", "--json").check(0).document
    assert [step["reason"] for step in explained["steps"] if step["step"] == "ring"] == ["deleted"]
    assert explained["modified"]
