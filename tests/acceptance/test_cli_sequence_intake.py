"""Drafts and closed sequences from the command line."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli import Cli, ReadyCli, ready_server

from engine.settings import Settings

NEW = """
sequence: new
name: New
description: For who signed up
metadata: {team: growth}
steps:
  - {key: hello, type: email, subject: Hi, text: Hello}
"""


@pytest.fixture(scope="module")
def server() -> Iterator["subprocess.Popen[bytes]"]:
    with ready_server() as server:
        yield server


@pytest.fixture
def cli(settings: Settings, tmp_path: Path, server: "subprocess.Popen[bytes]") -> Cli:
    return ReadyCli(settings, tmp_path, server)


def test_a_sequence_is_a_draft_then_active_then_closed(cli: Cli) -> None:
    cli.file("new.yaml", NEW)
    cli.file("people.csv", "email\nada@example.com\n")
    drafted = cli("apply", "--draft", "new.yaml", "--by", "ana").check(0).out
    assert drafted.startswith("new: version 1 published; it is a draft, which takes nobody before `cadenza sequence")
    assert "cadenza sequence activate new" in cli("publish", "new", "--email", "a@example.com").check(2).complaint
    assert "cadenza sequence activate new" in cli("enroll", "new", "people.csv").check(2).complaint
    assert "email" in cli("simulate", "new.yaml", "--contact", '{"email": "a@example.com"}').check(0).out
    shown = cli("sequences", "--status", "draft").check(0).out
    assert shown.startswith("new  New  draft, version 1, 1 step\n    For who signed up\n")
    assert shown.endswith("last enrolled never; made by ana\n")
    assert cli("sequence", "show", "new").check(0).out.splitlines()[0].endswith("UTC by ana; the sequence is a draft")

    assert cli("sequence", "activate", "new").check(0).out == "new is active\n"
    assert cli("sequence", "activate", "new").check(0).out == "new was no draft: it is active\n"
    assert "can't be a draft" in cli("apply", "--draft", "new.yaml").check(2).complaint
    cli("publish", "new", "--email", "a@example.com").check(0)
    closed = cli("sequence", "close", "new", "--by", "ben", "--json").check(0).document
    assert closed == {"sequence": "new", "changed": True, "status": "active", "closed": True, "finished": True}
    assert "was already closed" in cli("sequence", "close", "new").check(0).out
    assert "cadenza sequence open new" in cli("publish", "new", "--email", "b@example.com").check(2).complaint
    assert "cadenza sequence open new" in cli("enroll", "new", "people.csv").check(2).complaint
    assert ", closed to new people since " in cli("sequences").check(0).out
    (one,) = cli("sequences", "--status", "closed", "--json").check(0).document["sequences"]
    assert (one["closed_by"], one["created_by"], one["metadata"]) == ("ben", "ana", {"team": "growth"})
    assert cli("sequence", "open", "new").check(0).out == "new is open to new people\n"
    cli("publish", "new", "--email", "b@example.com").check(0)
    assert "unknown sequence 'nwe' (did you mean 'new'?)" in cli("sequence", "close", "nwe").check(2).complaint
