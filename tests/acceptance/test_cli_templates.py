"""The library of templates from the command line."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli import Cli, ReadyCli, ready_server

from engine.settings import Settings

WELCOME = """
kind: message_template
template: welcome
type: email
name: Welcome
subject: Welcome
text: Good to have you.
"""
RING = "kind: task_template\ntemplate: ring\ntype: call\nname: Ring\n"
ONE = "sequence: one\nsteps:\n  - {key: hi, type: email, template: welcome}\n"
TWO = ONE.replace("one", "two").replace("}", ", subject: Hello}")


@pytest.fixture(scope="module")
def server() -> Iterator["subprocess.Popen[bytes]"]:
    with ready_server() as server:
        yield server


@pytest.fixture
def cli(settings: Settings, tmp_path: Path, server: "subprocess.Popen[bytes]") -> Cli:
    ready = ReadyCli(settings, tmp_path, server)
    for name, text in (("welcome", WELCOME), ("ring", RING), ("one", ONE), ("two", TWO)):
        ready.file(f"{name}.yaml", text)
    return ready


def test_templates_are_applied_used_listed_copied_and_deleted(cli: Cli) -> None:
    assert cli("templates").check(0).out == "no templates\n"
    applied = cli("apply", "one.yaml", "welcome.yaml", "two.yaml", "ring.yaml", "--by", "ana").check(0)
    assert applied.out.splitlines() == [
        "welcome: version 1 of the message template published",
        "ring: version 1 of the task template published",
        "one: version 1 published; ends early on replied, unsubscribed, bounced",
        "two: version 1 published; ends early on replied, unsubscribed, bounced",
    ]
    assert applied.err == ""
    cli.file("welcome.yaml", WELCOME.replace("Good", "So good"))
    assert cli("apply", "welcome.yaml", "--by", "ben").check(0).out == (
        "welcome: version 2 of the message template published; 2 sequences still use version 1"
        " until they are applied again: one, two\n"
    )
    (document,) = cli("apply", "welcome.yaml", "one.yaml", "--json").check(0).document["templates"]
    assert document == {
        "template": "welcome", "kind": "message_template", "version": 2, "changed": False, "sequences_behind": ["two"],
    }  # fmt: skip
    ring, welcome = cli("templates").check(0).out.splitlines()
    assert ring == "ring  Ring  task template, call, version 1 by ana; unused"
    assert welcome.startswith(
        "welcome  Welcome  message template, email, version 2 by ben; used by 2 steps of 2 sequences"
    )
    assert welcome.endswith(", 1 of them with an older version: two")
    (listed,) = cli("templates", "--kind", "message", "--json").check(0).document["templates"]
    assert listed["uses"][1] == {"sequence": "two", "step": "hi", "version": 1}

    shown = cli("sequence", "show", "two").check(0).out
    cli.file("shown.yaml", shown)
    assert "Good to have you" not in shown
    assert cli("apply", "shown.yaml").check(0).out == "two: version 1 is unchanged\n"
    assert "email" in cli("simulate", "two.yaml", "--contact", '{"email": "ada@example.com"}').check(0).out

    assert cli("template", "show", "welcome", "--version", "1").check(0).out == f"# version 1\n{WELCOME.lstrip()}"
    assert cli("template", "duplicate", "welcome", "again", "--name", "Again").check(0).out == (
        "again: version 1 published\n"
    )
    assert "used by 2 steps: hi of one, hi of two" in cli("template", "delete", "welcome").check(2).complaint
    assert "add --yes" in cli("template", "delete", "again").check(2).complaint
    assert cli("template", "delete", "again", "--yes").check(0).out == "template again is deleted\n"
    assert "unknown template 'again'" in cli("template", "show", "again").check(2).complaint


def test_files_that_can_not_be_used_are_named_with_line_and_field_and_nothing_is_published(cli: Cli) -> None:
    cli.file("ring.yaml", RING + "delay: 1 day\n")
    cli.file("two.yaml", "sequence: two\nsteps: [{key: hi, type: sms, bodi: Hi}]\n")
    refused = cli("apply", "welcome.yaml", "ring.yaml", "two.yaml").check(2)
    assert refused.out == ""
    assert "ring.yaml:5: unknown key 'delay'" in refused.err
    assert "two.yaml:2: step hi: unknown key 'bodi' (did you mean 'body'?)" in refused.err
    assert "nothing was published: 2 of 3 files can't be used" in refused.err
    cli.file("one.yaml", ONE.replace("welcome", "welcom"))
    refused = cli("apply", "welcome.yaml", "one.yaml").check(2)
    assert "one.yaml:3: step hi: 'template': there is no template 'welcom' (did you mean 'welcome'?)" in refused.err
    assert cli("templates").check(0).out == "no templates\n"
    alone = cli("simulate", "one.yaml").check(2)
    assert "there is no template 'welcom': there is none yet" in alone.err
    assert "is the file of a template" in cli("simulate", "welcome.yaml").check(2).complaint
    cli.file("more.yaml", WELCOME)
    assert (
        "more.yaml: template 'welcome' is also in welcome.yaml"
        in cli("apply", "welcome.yaml", "more.yaml").check(2).err
    )
