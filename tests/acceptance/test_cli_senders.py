"""Who sends, how often is tried, and the delivery guarantee of a workspace, from the command line."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli import Cli, ReadyCli, ready_server

from engine.settings import Settings


@pytest.fixture(scope="module")
def server() -> Iterator["subprocess.Popen[bytes]"]:
    with ready_server() as server:
        yield server


@pytest.fixture
def cli(settings: Settings, tmp_path: Path, server: "subprocess.Popen[bytes]") -> Cli:
    return ReadyCli(settings, tmp_path, server)


def test_a_workspace_says_who_sends_and_takes_it_back(cli: Cli) -> None:
    mail = ("--from", "Acme <info@acme.example>", "--sender-name", "Team Acme", "--max-tries", "4")
    said = cli("workspace", "set", "default", *mail, "--guarantee", "at_least_once").check(0).out
    assert said.endswith(
        "  4 tries  email from Acme <info@acme.example>  sender name Team Acme  guarantee at_least_once\n"
    )
    taken = ("--from", "none", "--sender-name", "none", "--guarantee", "none", "--json")
    document = cli("workspace", "set", "default", *taken).check(0).document
    assert [document[name] for name in ("email_from", "sender_name", "smtp_guarantee", "max_tries")] == [None] * 3 + [4]
    nobody = cli("workspace", "set", "default", "--from", "nobody").check(2).complaint
    assert "from 'nobody': expected an email address" in nobody
    assert "--max-tries" in cli("workspace", "set", "default", "--max-tries", "21").check(2).complaint
