"""`cadenza apply` of actions that tell somebody, `cadenza workspace secret` and `cadenza variants`."""

import subprocess
from base64 import b64decode
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


def webhook(url: str) -> str:
    return f"sequence: hook\nsteps:\n  - {{key: tell, type: action, webhook: {{url: '{url}'}}}}\n"


def test_only_public_addresses_are_applied(cli: Cli) -> None:
    cli.file("inner.yaml", webhook("https://10.0.0.8/hook"))
    refused = cli("apply", "inner.yaml").check(2)
    assert "hook: tell: webhooks are not sent to 10.0.0.8: it is a private address" in refused.err
    cli.file("outer.yaml", webhook("https://example.com/hook"))
    assert (
        cli("apply", "outer.yaml").check(0).out
        == "hook: version 1 published; ends early on replied, unsubscribed, bounced\n"
    )


def test_what_would_be_told_is_simulated(cli: Cli) -> None:
    cli.file(
        "both.yaml",
        webhook("https://example.com/hook") + "  - {key: write, type: action, notify: {to: assignee, text: Hi}}\n",
    )
    (way,) = cli("simulate", "both.yaml", "--json").check(0).document["ways"]
    assert [(step["step"], step["status"], step["reasons"][-1]) for step in way["steps"]] == [
        ("tell", "done", "calls https://example.com/hook"),
        ("write", "done", "writes to assignee"),
    ]


def test_the_secret_is_shown_and_changed(cli: Cli) -> None:
    shown = cli("workspace", "secret").check(0).out.strip()
    assert len(b64decode(shown.removeprefix("whsec_"), validate=True)) == 32
    assert cli("workspace", "secret", "--json").check(0).document == {"workspace": "default", "secret": shown}
    changed = cli("workspace", "secret", "--rotate").check(0).out.strip()
    assert changed != shown
    assert cli("workspace", "secret", "default").check(0).out.strip() == changed


def test_variants_are_compared(cli: Cli) -> None:
    cli.file(
        "split.yaml",
        "sequence: split\nsteps:\n  - key: which\n    type: variants\n    variants:\n"
        "      a: {steps: [{key: x, type: sms, body: Hi}]}\n      b: {}\n",
    )
    cli("apply", "split.yaml").check(0)
    text = cli("variants", "split").check(0).out
    assert "a (weight 1): 0 enrollments took it, 0 messages sent" in text
    assert "replied: no difference shown yet: fewer than 100 have taken a, b" in text
    document = cli("variants", "split", "--version", "1", "--json").check(0).document
    assert document["steps"][0]["variants"][1]["rates"]["opened"] == {
        "rate": None,
        "interval": None,
        "of": 0,
        "decisive": False,
    }
    assert "no version 2: the newest is 1" in cli("variants", "split", "--version", "2").check(2).err
