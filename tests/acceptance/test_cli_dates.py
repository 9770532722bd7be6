"""Dates that steps go by: every command reads the same ones, and says the same of those that it can't read."""

import csv
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli import Cli, ReadyCli, fresh_database, ready_server
from pydantic import SecretStr

from engine.settings import Settings

RENEWAL = """
sequence: {key}
steps:
  - {{key: now, type: email, subject: Hi, text: Hello}}
  - key: soon
    type: email
    at: "09:00"
    before: {{attribute: renewal, by: 3 days, required: {required}}}
    subject: Hi
    text: Hello
"""
VALUES = ["2127-02-28", "02/28/2127", "28.02.2127", "28 Feb 2127", "46446", "03/04/2127", ""]
SERIAL = "renewal '46446' looks like the serial number of a spreadsheet for 2027-02-28: write it as 2027-02-28"
EITHER = "renewal '03/04/2127' may be 2127-03-04 or 2127-04-03: write it so, or say date_format: MDY or DMY"


@pytest.fixture(scope="module")
def server() -> Iterator["subprocess.Popen[bytes]"]:
    with ready_server() as server:
        yield server


@pytest.fixture
def cli(servers: Settings, template: str, server: "subprocess.Popen[bytes]", tmp_path: Path) -> Iterator[Cli]:
    assert servers.database_url is not None
    with fresh_database(servers.database_url.get_secret_value(), template) as url:
        more = {"database_url": SecretStr(url), "data_dir": tmp_path / "data", "metrics_port": 0}
        yield ReadyCli(servers.model_copy(update=more), tmp_path, server)


@pytest.fixture
def listed(cli: Cli) -> str:
    """A file with one contact for each value."""
    for key, required in (("optional", "false"), ("required", "true")):
        cli("apply", cli.file(f"{key}.yaml", RENEWAL.format(key=key, required=required))).check(0)
    lines = [f"p{number}@example.com,{value}" for number, value in enumerate(VALUES)]
    return cli.file("list.csv", "\n".join(["email,renewal", *lines]))


@pytest.mark.parametrize("options", [["--dry-run"], []])
def test_dates_that_can_not_be_read_are_reported_with_their_lines(cli: Cli, listed: str, options: list[str]) -> None:
    ran = cli("enroll", "optional", listed, "--json", *options).check(0)
    assert ran.document["enrolled"] == len(VALUES)
    unread = ran.document["unread_dates"]["renewal"]
    assert (unread["count"], unread["lines"]) == (2, [6, 7])
    assert unread["first"] == f"{SERIAL}; step soon is skipped"
    assert f"2 lines (6, 7): renewal can't be read as a date; the first: {SERIAL}; step soon is skipped" in ran.err


@pytest.mark.parametrize("options", [["--dry-run"], []])
def test_a_line_without_a_required_date_is_rejected(cli: Cli, listed: str, options: list[str]) -> None:
    ran = cli("enroll", "required", listed, "--json", *options).check(3)
    assert (ran.document["enrolled"], ran.document["rejected"], ran.document["unread_dates"]) == (4, 3, {})
    with (cli.folder / "list.csv.rejected.csv").open(newline="") as file:
        reasons = {row["line"]: row["reason"] for row in csv.DictReader(file)}
    assert reasons["6"] == f"{SERIAL}; step soon needs it"
    assert reasons["7"].startswith(EITHER)
    assert reasons["8"] == "renewal is missing; step soon needs it"


def test_publish_says_the_same(cli: Cli, listed: str) -> None:
    def publish(key: str, number: int, renewal: str) -> "list[str]":
        data = json.dumps({"renewal": renewal})
        return ["publish", key, "--email", f"q{number}@example.com", "--data", data, "--json"]

    for number, value in enumerate(VALUES[:4]):
        assert cli(*publish("optional", number, value)).check(0).document["warnings"] == []
    ran = cli(*publish("optional", 10, "46446")).check(0)
    assert ran.document["warnings"] == [f"{SERIAL}; step soon is skipped"]
    assert f"{SERIAL}; step soon is skipped" in ran.err
    assert f"{SERIAL}; step soon needs it" in cli(*publish("required", 11, "46446")).check(2).err
    assert "renewal is missing; step soon needs it" in cli(*publish("required", 12, "")).check(2).err


def test_simulate_says_the_same(cli: Cli, listed: str) -> None:
    def simulate(key: str, value: object) -> list[str]:
        contact = json.dumps({"email": "a@example.com", "custom.renewal": value})
        return ["simulate", f"{key}.yaml", "--contact", contact, "--start", "2127-01-01T12:00:00Z", "--json"]

    for value in (*VALUES[:4], 21270228):
        _, soon = cli(*simulate("required", value)).check(0).document["ways"][0]["steps"]
        assert soon["at"] == "2127-02-25T09:00:00+00:00"
    _, soon = cli(*simulate("optional", 46446)).check(0).document["ways"][0]["steps"]
    assert soon["status"] == "skipped"
    assert SERIAL.removeprefix("renewal ") in soon["reasons"][-1]
    assert f"--contact: {SERIAL}; step soon needs it" in cli(*simulate("required", 46446)).check(2).err
