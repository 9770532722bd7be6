"""Failed messages are sent again from the command line, after a preview."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from cli import Cli, ReadyCli, ready_server

from engine.settings import Settings

MAIL = """
sequence: mail
name: Mail
exit_on: []
steps:
  - {key: hello, type: email, subject: Hi, text: Hello}
  - {key: again, type: email, delay: 1 day, subject: Again, text: Still there}
"""


@pytest.fixture(scope="module")
def server() -> Iterator["subprocess.Popen[bytes]"]:
    with ready_server() as server:
        yield server


@pytest.fixture
def failed(settings: Settings, tmp_path: Path, server: "subprocess.Popen[bytes]") -> Cli:
    """Two first steps have failed; the enrollment of the second has ended."""
    cli = ReadyCli(settings, tmp_path, server)
    cli.file("mail.yaml", MAIL)
    cli("apply", "mail.yaml").check(0)
    for name in ("ada", "ben"):
        cli("publish", "mail", "--email", f"{name}@example.com").check(0)
    assert settings.database_url is not None
    with psycopg.connect(settings.database_url.get_secret_value()) as connection:
        connection.execute(
            "UPDATE outbox SET status = 'failed', reason = 'mailbox full', error_code = '552',"
            " counts_from = sequence_now() WHERE step_key = 'hello'"
        )
    cli("cancel", "2").check(0)
    return cli


def test_a_sequence_is_previewed_and_then_retried(failed: Cli) -> None:
    told = failed("retry", "--sequence", "mail", "--code", "552", "--dry-run").check(0).out
    assert told == (
        "1 failed message can be sent again\n"
        "          1  mail/hello (email): 552 message too big or storage exceeded\n"
        "          1  left alone: its enrollment has ended early (operator)\n"
    )
    assert "add --yes" in failed("retry", "--sequence", "mail").check(2).complaint
    document = failed("retry", "--sequence", "mail", "--yes", "--json").check(0).document
    assert [row["enrollment_id"] for row in document["rows"]] == [1]
    assert document["retried"] == [document["rows"][0]["row"]]
    assert failed("retry", "--sequence", "mail", "--code", "1", "--dry-run").check(0).out == "no failed message\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "name one thing"),
        (["1", "--sequence", "mail"], "name one thing"),
        (["1", "--code", "552"], "--sequence KEY"),
        (["--sequence", "mial"], "mail"),
        (["--sequence", "mail", "--since", "yesterday"], "2026-03-01T09:00Z"),
        (["--sequence", "mail", "--since", "2026-03-01"], "has no zone"),
        (["4711"], "no row 4711"),
        (["2"], "row 2 is pending: it waits for its time"),
    ],
)
def test_errors_say_what_to_do(failed: Cli, words: list[str], says: str) -> None:
    assert says in failed("retry", *words).check(2).complaint
