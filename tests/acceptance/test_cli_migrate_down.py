"""Going back to an older revision says what would be lost, asks, and has no raw words of Postgres."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli import Cli, ReadyCli, ready_server

from engine.settings import Settings

SEQUENCE = """
sequence: asks
steps:
  - {key: hello, type: email, subject: Hi, text: Hello}
  - {key: read, type: condition, delay: 1 day, if: {opened: hello}, then: [{key: ring, type: manual_sms}]}
"""
TEMPLATE = "kind: task_template\ntemplate: ring\ntype: call\nname: Ring\n"

#: Revisions from the newest one down to the one before templates, and to the one before conditions.
BEFORE_TEMPLATES, BEFORE_CONDITIONS = 3, 20


@pytest.fixture(scope="module")
def server() -> Iterator["subprocess.Popen[bytes]"]:
    with ready_server() as server:
        yield server


@pytest.fixture
def cli(settings: Settings, tmp_path: Path, server: "subprocess.Popen[bytes]") -> Cli:
    cli = ReadyCli(settings, tmp_path, server)
    cli.file("asks.yaml", SEQUENCE)
    cli.file("ring.yaml", TEMPLATE)
    return cli


def test_what_would_be_lost_is_said_and_asked(cli: Cli) -> None:
    cli("apply", "ring.yaml").check(0)
    asked = cli("migrate", "down", str(BEFORE_TEMPLATES)).check(2).complaint
    assert "this loses for ever: table template_versions with 1 row; table templates with 1 row: add --yes" in asked
    assert "ring" in cli("templates").check(0).out
    assert "0029" in cli("migrate", "down", str(BEFORE_TEMPLATES), "--yes").check(0).out
    cli("migrate").check(0)
    assert cli("templates").check(0).out == "no templates\n"


def test_a_column_that_says_something_is_a_loss(cli: Cli) -> None:
    cli("apply", "asks.yaml").check(0)
    cli("sequence", "close", "asks").check(0)
    asked = cli("migrate", "down", str(BEFORE_TEMPLATES + 1)).check(2).complaint
    assert "column closed_at of sequences, which 1 row of it uses" in asked


def test_nothing_is_asked_where_nothing_is_lost(cli: Cli) -> None:
    assert "0029" in cli("migrate", "down", str(BEFORE_TEMPLATES)).check(0).out


def test_rows_that_do_not_fit_are_said_in_words(cli: Cli) -> None:
    cli("apply", "asks.yaml").check(0)
    cli("publish", "asks", "--email", "ada@example.com").check(0)
    refused = cli("migrate", "down", str(BEFORE_CONDITIONS), "--yes").check(2).complaint
    assert "nothing was changed: the older revision can't hold what is in outbox" in refused
    assert "violates" not in refused
    assert "asks" in cli("sequences").check(0).out
