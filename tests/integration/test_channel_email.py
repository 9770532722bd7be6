"""The email channel against the sandbox's SMTP server: what is accepted, and how each failure is told."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sending import Sending, sending

from deploy.sandbox.ledger import Entry, read_entries
from deploy.sandbox.options import SandboxOptions
from deploy.sandbox.process import start_sandbox
from deploy.sandbox.state import Sandbox
from schema.states import AttemptOutcome
from workers.channels.channel import Email, Sms
from workers.channels.email.channel import EmailChannel
from workers.channels.email.server import parse_smtp_url

CERTIFICATE = Path(__file__).parent / "data" / "localhost.pem"

#: Real seconds to wait for an answer, where there is one; and where there is to be none.
PATIENT, IMPATIENT = 10.0, 1.0

AN_EMAIL = Email(
    to="ada@example.org",
    sender="Cadenza <cadenza@example.com>",
    message_id="<1@example.com>",
    date=datetime(2026, 11, 21, 7, 0, tzinfo=UTC),
    subject="See you soon",
    text="Hi Ada",
    html=None,
)


def an_email(message_id: str, **changes: Any) -> Email:
    return replace(AN_EMAIL, message_id=f"<{message_id.replace(' ', '-')}@example.com>", **changes)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with start_sandbox(SandboxOptions(data_dir=tmp_path_factory.mktemp("sandbox"))) as process:
        yield process.sandbox


@pytest.fixture
def channel(sandbox: Sandbox) -> Iterator[Sending]:
    with sending(EmailChannel(parse_smtp_url(sandbox.smtp_url), PATIENT)) as channel:
        yield channel
    sandbox.client.end_faults()


@pytest.fixture
def impatient(sandbox: Sandbox) -> Iterator[Sending]:
    with sending(EmailChannel(parse_smtp_url(sandbox.smtp_url), IMPATIENT)) as channel:
        yield channel
    sandbox.client.end_faults()


def accepted(sandbox: Sandbox, email: Email) -> list[Entry]:
    entries = read_entries(sandbox.ledger)
    return [entry for entry in entries if entry.event == "accepted" and entry.id == email.message_id]


def test_a_message_is_accepted_once_as_it_was_written(sandbox: Sandbox, channel: Sending) -> None:
    email = an_email(
        "first",
        subject="Grüße, " * 20,
        text=".\n..\n.leading dot\nlast line\r\n.\r\nQUIT\n" + "x" * 2000,
        html="<p>日本語</p>\n.\n",
    )
    outcome = channel.send(email)
    assert (outcome.outcome, outcome.provider_id) == (AttemptOutcome.ACCEPTED, "<first@example.com>")
    assert (outcome.error_code, outcome.suppress, outcome.retry_after) == (None, None, None)
    (entry,) = accepted(sandbox, email)
    assert (entry.to, entry.sender) == ("ada@example.org", "cadenza@example.com")
    assert entry.subject == ("Grüße, " * 20).strip()
    assert email.text is not None
    assert entry.content("plain") == email.text.replace("\r\n", "\n") + "\n"
    assert entry.content("html") == email.html


def test_the_same_email_is_the_same_bytes_at_every_try(sandbox: Sandbox, channel: Sending) -> None:
    email = an_email("twice", html="<p>Hi</p>")
    channel.send(email)
    channel.send(email)
    first, second = accepted(sandbox, email)
    assert first.raw == second.raw


@pytest.mark.parametrize(
    ("mailbox", "outcome", "code", "suppress"),
    [
        ("bounce", AttemptOutcome.REFUSED, "550", "bounced"),
        ("disabled", AttemptOutcome.REFUSED, "550", None),
        ("blocked", AttemptOutcome.REFUSED, "550", None),
        ("spam", AttemptOutcome.REFUSED, "554", None),
        ("full", AttemptOutcome.DEFERRED, "452", None),
        ("later", AttemptOutcome.HELD, "451", None),
        ("defer", AttemptOutcome.HELD, "451", None),
        ("busy", AttemptOutcome.HELD, "421", None),
    ],
)
def test_what_a_server_refuses(
    sandbox: Sandbox, channel: Sending, mailbox: str, outcome: AttemptOutcome, code: str, suppress: str | None
) -> None:
    refused = an_email(f"to {mailbox}", to=f"{mailbox}+1@example.org")
    told = channel.send(refused)
    assert (told.outcome, told.error_code, told.suppress) == (outcome, code, suppress)
    assert told.detail
    assert accepted(sandbox, refused) == []
    after = an_email(f"after {mailbox}")
    assert channel.send(after).outcome is AttemptOutcome.ACCEPTED
    assert len(accepted(sandbox, after)) == 1


@pytest.mark.parametrize("stage", ["connect", "mail", "rcpt", "data", "dot"])
@pytest.mark.parametrize(
    ("code", "text", "outcome"),
    [
        (421, "4.3.2 closing", AttemptOutcome.HELD),
        (451, "4.7.1 slow down", AttemptOutcome.HELD),
        (452, "4.2.2 mailbox full", AttemptOutcome.DEFERRED),
        (550, "5.7.1 no", AttemptOutcome.REFUSED),
    ],
)
def test_replies_at_every_stage(
    sandbox: Sandbox, channel: Sending, stage: str, code: int, text: str, outcome: AttemptOutcome
) -> None:
    email = an_email(f"{code} {text.split()[0]} at {stage}")
    sandbox.client.add_fault("email", "reply", stage, code=code, text=text)
    told = channel.send(email)
    assert told.outcome is (AttemptOutcome.HELD if stage == "connect" else outcome)
    assert told.error_code == str(code)
    assert accepted(sandbox, email) == []
    sandbox.client.end_faults()
    assert channel.send(email).outcome is AttemptOutcome.ACCEPTED


@pytest.mark.parametrize("kind", ["drop", "reset", "silence"])
@pytest.mark.parametrize("stage", ["connect", "mail", "rcpt", "data"])
def test_before_the_final_dot_it_is_definite(
    sandbox: Sandbox, channel: Sending, impatient: Sending, kind: str, stage: str
) -> None:
    email = an_email(f"{kind} at {stage}")
    sandbox.client.add_fault("email", kind, stage)
    told = (impatient if kind == "silence" else channel).send(email)
    assert (told.outcome, told.error_code) == (AttemptOutcome.HELD, None)
    assert told.detail
    sandbox.client.end_faults()
    assert channel.send(email).outcome is AttemptOutcome.ACCEPTED
    assert len(accepted(sandbox, email)) == 1


@pytest.mark.parametrize("kind", ["drop", "reset", "silence"])
@pytest.mark.parametrize("stage", ["dot", "accepted"])
def test_after_the_final_dot_only_a_reply_settles(
    sandbox: Sandbox, channel: Sending, impatient: Sending, kind: str, stage: str
) -> None:
    email = an_email(f"{kind} at {stage}")
    sandbox.client.add_fault("email", kind, stage)
    told = (impatient if kind == "silence" else channel).send(email)
    assert (told.outcome, told.provider_id) == (AttemptOutcome.UNANSWERED, None)
    assert len(accepted(sandbox, email)) == (stage == "accepted")
    sandbox.client.end_faults()
    assert channel.send(an_email(f"after {kind} at {stage}")).outcome is AttemptOutcome.ACCEPTED


def test_a_message_that_the_server_finds_too_big_is_refused_before_it_is_sent(
    sandbox: Sandbox, channel: Sending
) -> None:
    email = an_email("too big", text="x" * 70 + "\n" * 20_000_000)
    told = channel.send(email)
    assert (told.outcome, told.error_code) == (AttemptOutcome.REFUSED, "552")
    assert accepted(sandbox, email) == []


def test_a_server_that_is_slow_before_the_dot_gets_no_message(sandbox: Sandbox, impatient: Sending) -> None:
    email = an_email("slow")
    for stage in ("mail", "rcpt"):
        # Each answer comes in time; together they use up what there is until the dot.
        sandbox.client.add_fault("email", "latency", stage, seconds=IMPATIENT * 0.7)
    assert impatient.send(email).outcome is AttemptOutcome.HELD
    assert accepted(sandbox, email) == []


def test_a_server_may_take_its_time_after_the_dot(sandbox: Sandbox, channel: Sending) -> None:
    sandbox.client.add_fault("email", "latency", "dot", seconds=0.5, times=1)
    assert channel.send(an_email("thoughtful")).outcome is AttemptOutcome.ACCEPTED


def test_nobody_listens(sandbox: Sandbox, channel: Sending) -> None:
    sandbox.client.add_fault("email", "refuse")
    told = channel.send(an_email("nobody"))
    assert (told.outcome, told.error_code) == (AttemptOutcome.HELD, None)
    assert told.detail.startswith("no connection")


def test_a_kept_connection_that_the_server_gave_up_is_replaced_at_once(sandbox: Sandbox, channel: Sending) -> None:
    for number, (kind, details) in enumerate(
        [("reply", {"code": 421, "text": "4.4.2 idle for too long"}), ("drop", {}), ("reset", {})]
    ):
        assert channel.send(an_email(f"opens the connection {number}")).outcome is AttemptOutcome.ACCEPTED
        sandbox.client.add_fault("email", kind, "mail", times=1, **details)
        assert channel.send(an_email(f"on a new one {number}")).outcome is AttemptOutcome.ACCEPTED


def test_many_threads(sandbox: Sandbox, channel: Sending) -> None:
    emails = [an_email(f"{number} of many", to=f"ada+{number}@example.org") for number in range(200)]
    with ThreadPoolExecutor(16) as threads:
        outcomes = list(threads.map(channel.send, emails))
    assert [outcome.provider_id for outcome in outcomes] == [email.message_id for email in emails]
    taken = {(entry.id, entry.to) for entry in read_entries(sandbox.ledger) if entry.event == "accepted"}
    assert {(email.message_id, email.to) for email in emails} <= taken
    assert all(len(accepted(sandbox, email)) == 1 for email in emails[::20])


@pytest.mark.parametrize(
    "changes",
    [{"to": "nobody"}, {"to": "a@b.example>\r\nRCPT TO:<eve@example.com"}, {"to": "jö@example.com"}, {"sender": "Ada"}],
)
def test_addresses_that_no_server_need_be_asked_about(
    sandbox: Sandbox, channel: Sending, changes: dict[str, str]
) -> None:
    email = an_email("no address", **changes)
    told = channel.send(email)
    assert (told.outcome, told.suppress) == (AttemptOutcome.REFUSED, None)
    assert accepted(sandbox, email) == []


def test_nothing_personal_is_logged(channel: Sending, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    channel.send(an_email("logged", text="a secret text"))
    channel.send(an_email("logged", to="bounce@example.org", text="a secret text"))
    assert "example.org" not in caplog.text
    assert "secret" not in caplog.text


def test_a_closed_channel_keeps_no_connection(sandbox: Sandbox) -> None:
    with sending(EmailChannel(parse_smtp_url(sandbox.smtp_url), PATIENT)) as channel:
        channel.close()
        assert channel.send(an_email("late")).outcome is AttemptOutcome.ACCEPTED


def test_it_sends_no_sms(channel: Sending) -> None:
    with pytest.raises(TypeError, match="Sms"):
        channel.send(Sms("+12025550100", "Hi"))


def test_credentials(tmp_path: Path) -> None:
    options = SandboxOptions(data_dir=tmp_path, smtp_user="ada@x", smtp_password="p:w/1")
    with start_sandbox(options) as process:
        url = process.sandbox.smtp_url
        with sending(EmailChannel(parse_smtp_url(url), PATIENT)) as channel:
            assert channel.send(an_email("with credentials")).outcome is AttemptOutcome.ACCEPTED
        for wrong, code in ((url.replace("p%3Aw", "wrong"), "535"), (url.replace("ada%40x:p%3Aw%2F1@", ""), "530")):
            with sending(EmailChannel(parse_smtp_url(wrong), PATIENT)) as channel:
                told = channel.send(an_email("without"))
            assert (told.outcome, told.error_code) == (AttemptOutcome.HELD, code)
        assert process.client.counts()["email"]["accepted"] == 1


def test_starttls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = SandboxOptions(data_dir=tmp_path, smtp_certificate=CERTIFICATE, smtp_key=CERTIFICATE)
    with start_sandbox(options) as process:
        server = parse_smtp_url(f"{process.sandbox.smtp_url}?starttls=true")
        with sending(EmailChannel(server, PATIENT)) as suspicious:
            told = suspicious.send(an_email("not trusted"))
        assert told.outcome is AttemptOutcome.HELD
        assert "certificate" in told.detail
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        with sending(EmailChannel(server, PATIENT)) as channel:
            for number in range(3):
                assert channel.send(an_email(f"encrypted {number}")).outcome is AttemptOutcome.ACCEPTED
            for kind in ("drop", "reset"):
                process.client.add_fault("email", kind, "data", times=1)
                assert channel.send(an_email(f"{kind} at data")).outcome is AttemptOutcome.HELD
                process.client.add_fault("email", kind, "accepted", times=1)
                assert channel.send(an_email(f"{kind} after")).outcome is AttemptOutcome.UNANSWERED
        assert process.client.counts()["email"]["accepted"] == 5


def test_starttls_where_the_server_has_none(sandbox: Sandbox) -> None:
    with sending(EmailChannel(parse_smtp_url(f"{sandbox.smtp_url}?starttls=true"), PATIENT)) as channel:
        told = channel.send(an_email("no starttls"))
    assert told.outcome is AttemptOutcome.HELD
    assert "STARTTLS" in told.detail
