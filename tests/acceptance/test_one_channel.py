"""Email alone, or SMS alone, is a whole set-up; what sends on another channel waits, and everybody is told why."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli import Cli, ReadyCli, ready_server
from pydantic import SecretStr
from stage_site import Site, site, wait_for
from world import world

from deploy.sandbox.options import SandboxOptions
from deploy.sandbox.process import start_sandbox
from engine.outbox.pause import paused
from engine.settings import Settings

__all__ = ["site", "world"]

BOTH = """
sequence: both
steps:
  - {key: mail, type: email, subject: Hi, text: Hello}
  - {key: text, type: sms, delay: 1 day, body: Hi}
"""
EMAIL = """
sequence: email-only
steps:
  - {key: mail, type: email, subject: Hi, text: Hello}
"""
TASKS = """
sequence: tasks
steps:
  - {key: ring, type: call, name: Ring}
  - {key: tell, type: action, notify: {to: "ann@example.com", subject: Rung, text: Rung}}
"""

WITHOUT_SMS: dict[str, Any] = {
    "twilio_account_sid": None,
    "twilio_auth_token": None,
    "twilio_from": None,
    "twilio_api_url": None,
}
SAYS = "sms is not configured, and published sequences send on it"


@pytest.fixture
def cli(settings: Settings, tmp_path: Path) -> Iterator[Cli]:
    """A production that has a mail server, and no Twilio account."""
    with start_sandbox(SandboxOptions(data_dir=tmp_path / "sandbox")) as child, ready_server() as server:
        given = {"environment": "production", "smtp_url": SecretStr(child.sandbox.smtp_url)}
        cli = ReadyCli(settings.model_copy(update=given), tmp_path, server)
        cli.file("both.yaml", BOTH)
        cli.file("email.yaml", EMAIL)
        cli.file("tasks.yaml", TASKS)
        yield cli


def channels(cli: Cli, code: int) -> dict[str, tuple[bool, str]]:
    document = cli("doctor", "--json").check(code).document
    return {one["name"]: (one["ok"], one["says"]) for one in document["checks"] if one["name"] in ("SMS", "email")}


def test_what_no_sequence_needs_is_not_asked_for(cli: Cli) -> None:
    ran = cli("apply", "email.yaml", "tasks.yaml", "--json").check(0)
    assert (ran.err, ran.document["channels_not_configured"]) == ("", [])
    found = channels(cli, 0)
    assert found["SMS"] == (True, "not configured, no published sequence needs it")
    assert found["email"][0]
    assert "takes the log-in" in found["email"][1]


def test_what_a_sequence_needs_is_named_when_it_is_published(cli: Cli) -> None:
    ran = cli("apply", "both.yaml", "--json").check(0)
    assert ran.complaint.startswith(f"cadenza: {SAYS} (both): set CADENZA_TWILIO_ACCOUNT_SID, ")
    assert ran.document["sequences"][0]["changed"]
    assert ran.document["channels_not_configured"] == ["sms"]
    well, says = channels(cli, 1)["SMS"]
    assert not well
    assert says.startswith(f"{SAYS} (default/both): set CADENZA_TWILIO_ACCOUNT_SID, ")
    cli("archive", "both", "--yes").check(0)
    assert channels(cli, 0)["SMS"][0]


def test_a_notification_needs_the_mail_server(cli: Cli) -> None:
    cli.environment["CADENZA_SMTP_URL"] = ""
    ran = cli("apply", "tasks.yaml", "--json").check(0)
    assert ran.document["channels_not_configured"] == ["email"]
    assert channels(cli, 1) == {
        "SMS": (True, "not configured, no published sequence needs it"),
        "email": (
            False,
            ran.complaint.removeprefix("cadenza: ").replace("(tasks)", "(default/tasks)").partition(";")[0],
        ),
    }


def test_what_waits_for_a_channel_goes_out_when_it_is_there(site: Site) -> None:
    site.world.publish(BOTH)
    site.enroll("both", count=3)
    with site.working(**WITHOUT_SMS):
        site.until(*["sent", "pending"] * 3)
        site.jump(days=1)
        wait_for(lambda: holds(site) == [("sms", "not_configured")], "the channel pauses")
        site.enroll("both")
        site.until(*["sent", "pending"] * 4)
        reasons = site.world.query("SELECT DISTINCT reason FROM outbox WHERE type = 'sms' AND reason IS NOT NULL")
        assert [reason.partition(" (or")[0] for (reason,) in reasons] == [
            "sms is not configured: set CADENZA_TWILIO_ACCOUNT_SID, CADENZA_TWILIO_AUTH_TOKEN and CADENZA_TWILIO_FROM"
        ]
    with site.working():
        site.until(*["sent", "sent"] * 3, "sent", "pending")
    assert holds(site) == []
    assert set(site.accepted().values()) == {1}


def holds(site: Site) -> list[tuple[str, str | None]]:
    """The channels that pause, and the code that says why."""
    with site.world.database.transaction() as session:
        return [(one.channel, one.error_code) for one in paused(session)]
