"""`cadenza suppressions`, and what of opt-outs other commands show."""

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


def test_a_list_is_kept_in_all_ways(cli: Cli) -> None:
    assert cli("suppressions", "list").check(0).out == "nobody is suppressed\n"
    added = cli("suppressions", "add", "Ada@Example.com", "--reason", "by letter").check(0)
    assert added.out == "Ada@Example.com is suppressed\n"
    again = cli("suppressions", "add", "ada@example.com").check(0)
    assert again.out == "ada@example.com was suppressed already: nothing is new\n"
    cli.file("list.csv", "email,phone\nben@example.com,(202) 555-0101\nnobody,\n")
    done = cli("suppressions", "import", "list.csv").check(3)
    assert done.out == "2 lines: 2 added, 0 on the list already, 1 rejected: see list.csv.rejected.csv\n"
    listed = cli("suppressions", "list", "--json").check(0).document["suppressions"]
    assert [(one["channel"], one["address"], one["reason"]) for one in listed] == [
        ("email", "ada@example.com", "operator"),
        ("email", "ben@example.com", "imported"),
        ("sms", "+12025550101", "imported"),
    ]
    (line,) = cli("suppressions", "list", "--channel", "sms").check(0).out.splitlines()
    assert line.endswith("UTC  sms    +12025550101  imported")
    exported = cli("suppressions", "export").check(0)
    assert exported.out.splitlines()[0] == "channel,address,reason,note,created_at"
    assert exported.err == "cadenza: 3 suppressions exported\n"
    cli("suppressions", "export", "list.csv").check(2)
    cli("suppressions", "remove", "ada@example.com").check(2)
    removed = cli("suppressions", "remove", "ada@example.com", "--reason", "they asked").check(0)
    assert removed.out == "ada@example.com may be contacted again (was: operator)\n"
    assert cli("event", "unsubscribed", "--email", "eve@example.com").check(0).out == (
        "unsubscribed of an address that no contact has taken\n"
    )
    assert "eve@example.com" in cli("suppressions", "list").check(0).out


def test_a_workspace_says_what_an_opt_out_bars(cli: Cli) -> None:
    changed = cli(
        *(
            "workspace",
            "set",
            "default",
            "--opt-out-scope",
            "all",
            "--doubtful",
            "go-on",
            "--opt-out-words",
            "raus,weg",
        ),
        "--json",
    ).check(0)
    assert changed.document["opt_out_scope"] == "all"
    assert changed.document["doubtful"] == "go-on"
    assert changed.document["opt_out_words"] == ["raus", "weg"]
    told = cli("workspace", "list").check(0).out
    assert "opt-outs bar all channels  doubtful messages go on  opt-out words raus, weg" in told
    refused = cli("workspace", "set", "default", "--opt-out-words", "help").check(2)
    assert "'help' can't be an opt-out word: carriers give it another meaning" in refused.err
    cli("workspace", "set", "default", "--opt-out-words", "none").check(0)
