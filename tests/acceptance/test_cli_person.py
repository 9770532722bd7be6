"""Messages and events of a contact, as a support desk asks for them."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from cli import Cli, ReadyCli, ready_server

from engine.settings import Settings

MAIL = """
sequence: mail
exit_on: []
steps:
  - {key: hello, type: email, subject: Hi, text: Hello}
"""


@pytest.fixture(scope="module")
def server() -> Iterator["subprocess.Popen[bytes]"]:
    with ready_server() as server:
        yield server


@pytest.fixture
def sent(settings: Settings, tmp_path: Path, server: "subprocess.Popen[bytes]") -> Cli:
    """An email to Ada that her server refused, and her reply."""
    cli = ReadyCli(settings, tmp_path, server)
    cli.file("mail.yaml", MAIL)
    cli("apply", "mail.yaml").check(0)
    cli("publish", "mail", "--email", "ada@example.com", "--external-id", "a1").check(0)
    assert settings.database_url is not None
    with psycopg.connect(settings.database_url.get_secret_value()) as connection:
        connection.execute(
            "UPDATE outbox SET status = 'failed', error_code = '552', due_at = '2026-03-01 09:00Z', fence = 2"
        )
        connection.execute(
            "INSERT INTO attempt_records (outbox_id, fence, workspace_id, channel, recipient, payload,"
            " lateness_seconds, ended_at, outcome, error_code, detail) VALUES (1, 1, 1, 'email', 'ada@example.com',"
            """ '{"subject": "Hi", "text": "Hello"}', 0, now(), 'refused', '552', '5.3.4 message too big')"""
        )
    cli("event", "replied", "--email", "ada@example.com").check(0)
    return cli


@pytest.mark.parametrize("contact", ["ada@example.com", "1", "external_id:a1"])
def test_messages_are_found_by_whatever_is_known_of_the_contact(sent: Cli, contact: str) -> None:
    assert sent("messages", "--contact", contact).check(0).out == (
        "2026-03-01 09:00:00 UTC  email  failed  to ada@example.com\n"
        "    mail, step hello, enrollment 1, row 1\n"
        "    subject 'Hi'\n"
        "    'Hello'\n"
        "    the provider says 552 (message too big or storage exceeded): 5.3.4 message too big\n"
    )


def test_the_json_has_the_contact_as_an_object(sent: Cli) -> None:
    document = sent("messages", "--contact", "1", "--json").check(0).document
    assert document["contact"]["external_id"] == "a1"
    (message,) = document["messages"]
    assert (message["enrollment_id"], message["text"], message["error_says"]) == (
        1,
        "Hello",
        "message too big or storage exceeded",
    )


def test_events_are_listed(sent: Cli) -> None:
    assert "  replied\n" in sent("events", "--contact", "ada@example.com").check(0).out
    assert sent("events", "--contact", "1", "--says", "opened").check(0).out == "no events\n"


@pytest.mark.parametrize("command", ["messages", "events"])
def test_a_contact_that_nobody_knows_is_an_error(sent: Cli, command: str) -> None:
    assert "no contact 'eve@example.com'" in sent(command, "--contact", "eve@example.com").check(2).complaint
    assert "--contact" in sent(command).check(2).err
