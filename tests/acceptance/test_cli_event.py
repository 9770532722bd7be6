"""`cadenza event`, for people and for programs."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli import Cli, ReadyCli, ready_server

from engine.settings import Settings

PAID = """
sequence: paid
steps:
  - {key: until, type: wait, until: {event: paid, within: 14 days}}
  - {key: ring, type: call}
"""


@pytest.fixture(scope="module")
def server() -> Iterator["subprocess.Popen[bytes]"]:
    with ready_server() as server:
        yield server


@pytest.fixture
def cli(settings: Settings, tmp_path: Path, server: "subprocess.Popen[bytes]") -> Cli:
    return ReadyCli(settings, tmp_path, server)


def test_an_event_is_told_once_and_decides_what_waits(cli: Cli) -> None:
    cli.file("paid.yaml", PAID)
    cli("apply", "paid.yaml").check(0)
    cli("publish", "paid", "--email", "ada@example.com").check(0)
    told = ["event", "custom", "--email", "Ada@example.com", "--name", "paid", "--data", '{"amount": 5}', "--key", "k"]
    first = cli(*told, "--json").check(0).document
    assert first["event"] is not None
    assert first["machine"] is None
    again = cli(*told).check(0)
    assert again.out == f"custom of contact {first['contact']['id']} was known already: nothing is new\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["event", "opened"], "an event opened is about a message"),
        (["event", "opened", "--message", "SM404"], "no message 'SM404' in this workspace"),
        (["event", "replied", "--email", "nobody@example.com"], "no contact has these keys in this workspace"),
        (["event", "custom", "--email", "nobody@example.com"], "an event of your own, and no other, has a name"),
        (["event", "replied", "--enrollment", "1", "--at", "noon"], "--at: 'noon' is no time"),
        (["event", "replied", "--enrollment", "1", "--data", "[]"], "--data: expected a JSON object"),
        (["event", "sneezed"], "'sneezed' is not one of"),
    ],
)
def test_what_cannot_be_heard_is_said(cli: Cli, arguments: list[str], says: str) -> None:
    ran = cli(*arguments).check(2)
    assert ran.err.startswith("cadenza: ")
    assert says in ran.err
