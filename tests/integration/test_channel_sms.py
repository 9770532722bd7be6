"""The SMS channel against the sandbox's Twilio API: what is accepted, and how each failure is told."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr
from sending import Sending, sending

from deploy.sandbox.ledger import Entry, read_entries
from deploy.sandbox.options import SENDER, SandboxOptions
from deploy.sandbox.process import start_sandbox
from deploy.sandbox.state import Sandbox
from engine.errors import InvalidInput
from engine.settings import Settings
from schema.states import AttemptOutcome
from workers.channels import open_channels
from workers.channels.channel import Email, Sms
from workers.channels.sms.channel import SmsChannel

TO = "+12025550100"
SERVICE = "MG" + "5" * 32

#: Real seconds to wait for an answer, where there is one; and where there is to be none.
PATIENT, IMPATIENT = 10.0, 1.0


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with start_sandbox(SandboxOptions(data_dir=tmp_path_factory.mktemp("sandbox"))) as process:
        yield process.sandbox


@pytest.fixture
def channel(sandbox: Sandbox) -> Iterator[Sending]:
    with a_channel(sandbox) as channel:
        yield channel
    sandbox.client.end_faults()


@pytest.fixture
def impatient(sandbox: Sandbox) -> Iterator[Sending]:
    with a_channel(sandbox, timeout=IMPATIENT) as channel:
        yield channel
    sandbox.client.end_faults()


def a_channel(sandbox: Sandbox, token: str | None = None, timeout: float = PATIENT) -> AbstractContextManager[Sending]:
    return sending(
        SmsChannel(sandbox.account_sid, token or sandbox.auth_token, {"from_": SENDER}, sandbox.http_url, timeout)
    )


def some_settings(sandbox: Sandbox, **changes: object) -> Settings:
    values: dict[str, object] = {
        "twilio_account_sid": sandbox.account_sid,
        "twilio_auth_token": SecretStr(sandbox.auth_token),
        "twilio_from": SENDER,
        "twilio_api_url": sandbox.http_url,
        "smtp_url": SecretStr(sandbox.smtp_url),
    }
    return Settings.model_validate(values | changes)


def accepted(sandbox: Sandbox, body: str) -> list[Entry]:
    return [entry for entry in read_entries(sandbox.ledger) if entry.event == "accepted" and entry.body == body]


def test_a_message_is_accepted_once_and_its_sid_is_told(sandbox: Sandbox, channel: Sending) -> None:
    body = "Grüße & <b>100%</b> +1\n\t日本 \U0001f600 =a"
    outcome = channel.send(Sms(TO, body))
    (entry,) = accepted(sandbox, body)
    assert outcome.outcome is AttemptOutcome.ACCEPTED
    assert outcome.provider_id == entry.id
    assert (outcome.error_code, outcome.suppress, outcome.retry_after) == (None, None, None)
    assert (entry.to, entry.sender, entry.media) == (TO, SENDER, ())


def test_media_and_a_messaging_service(sandbox: Sandbox) -> None:
    channels = open_channels(some_settings(sandbox, twilio_messaging_service_sid=SERVICE))
    urls = ("https://example.com/a.png?x=1&y=2", "https://example.com/b c.png")
    with sending(channels["sms"]) as channel:
        outcome = channel.send(Sms(TO, "with media", urls))
    assert outcome.outcome is AttemptOutcome.ACCEPTED
    (entry,) = accepted(sandbox, "with media")
    assert entry.media == urls
    assert entry.messaging_service_sid == SERVICE


@pytest.mark.parametrize(
    ("to", "code", "outcome", "suppress"),
    [
        ("+15005550001", "21211", AttemptOutcome.REFUSED, "undeliverable"),
        ("+15005550002", "21612", AttemptOutcome.REFUSED, None),
        ("+15005550003", "21408", AttemptOutcome.HELD, None),
        ("+15005550004", "21610", AttemptOutcome.REFUSED, "unsubscribed"),
        ("+15005550009", "21614", AttemptOutcome.REFUSED, "undeliverable"),
        ("+123456789012345678", "21211", AttemptOutcome.REFUSED, "undeliverable"),
    ],
)
def test_what_twilio_refuses(
    channel: Sending, to: str, code: str, outcome: AttemptOutcome, suppress: str | None
) -> None:
    told = channel.send(Sms(to, "Hi"))
    assert (told.outcome, told.error_code, told.suppress) == (outcome, code, suppress)
    assert told.detail
    assert to not in told.detail
    assert "Unable to create" not in told.detail


def test_wrong_credentials_hold_the_message(sandbox: Sandbox) -> None:
    with a_channel(sandbox, token="wrong") as channel:
        told = channel.send(Sms(TO, "Hi"))
    assert (told.outcome, told.error_code) == (AttemptOutcome.HELD, "20003")


@pytest.mark.parametrize(
    ("reply", "outcome", "code", "retry_after"),
    [
        ({"status": 429, "code": 20429, "retry_after": 7}, AttemptOutcome.HELD, "20429", 7.0),
        ({"status": 429, "retry_after": 86_400}, AttemptOutcome.HELD, "20429", 900.0),
        ({"status": 400, "code": 21611}, AttemptOutcome.DEFERRED, "21611", None),
        ({"status": 500, "code": 20500}, AttemptOutcome.UNANSWERED, "20500", None),
        ({"status": 503, "retry_after": 5}, AttemptOutcome.UNANSWERED, "20503", None),
        ({"status": 502, "text": "<h1>Bad gateway</h1>"}, AttemptOutcome.UNANSWERED, "502", None),
        ({"status": 403, "text": "<h1>Proxy says no</h1>"}, AttemptOutcome.HELD, "403", None),
        ({"status": 408, "text": "too slow"}, AttemptOutcome.UNANSWERED, "408", None),
        ({"status": 400, "text": "{"}, AttemptOutcome.REFUSED, "400", None),
    ],
)
def test_other_answers(
    sandbox: Sandbox,
    channel: Sending,
    reply: dict[str, Any],
    outcome: AttemptOutcome,
    code: str,
    retry_after: float | None,
) -> None:
    sandbox.client.add_fault("sms", "reply", times=1, **reply)
    told = channel.send(Sms(TO, "another answer"))
    assert (told.outcome, told.error_code, told.retry_after) == (outcome, code, retry_after)
    assert accepted(sandbox, "another answer") == []


@pytest.mark.parametrize("kind", ["drop", "reset", "silence"])
@pytest.mark.parametrize("stage", ["request", "accepted"])
def test_no_answer_is_never_taken_for_a_no(
    sandbox: Sandbox, channel: Sending, impatient: Sending, kind: str, stage: str
) -> None:
    body = f"{kind} at {stage}"
    sandbox.client.add_fault("sms", kind, stage)
    told = (impatient if kind == "silence" else channel).send(Sms(TO, body))
    assert (told.outcome, told.provider_id) == (AttemptOutcome.UNANSWERED, None)
    assert "no answer" in told.detail
    assert len(accepted(sandbox, body)) == (stage == "accepted")


@pytest.mark.parametrize("kind", ["drop", "reset"])
def test_a_server_that_hangs_up_on_everyone(sandbox: Sandbox, channel: Sending, kind: str) -> None:
    """Whether that was before the request or behind it depends on who is quicker; it is not accepted either way."""
    sandbox.client.add_fault("sms", kind, "connect")
    told = channel.send(Sms(TO, f"{kind} at connect"))
    assert told.outcome in (AttemptOutcome.HELD, AttemptOutcome.UNANSWERED)
    assert accepted(sandbox, f"{kind} at connect") == []


def test_an_error_after_it_was_accepted(sandbox: Sandbox, channel: Sending) -> None:
    sandbox.client.add_fault("sms", "reply", "accepted", status=500, times=1)
    assert channel.send(Sms(TO, "accepted, then 500")).outcome is AttemptOutcome.UNANSWERED
    assert len(accepted(sandbox, "accepted, then 500")) == 1


def test_nobody_listens(sandbox: Sandbox, channel: Sending) -> None:
    sandbox.client.add_fault("sms", "refuse")
    told = channel.send(Sms(TO, "nobody listens"))
    assert (told.outcome, told.error_code) == (AttemptOutcome.HELD, None)
    assert told.detail.startswith("no connection")
    sandbox.client.end_faults()
    assert channel.send(Sms(TO, "nobody listens")).outcome is AttemptOutcome.ACCEPTED


def test_after_a_failure_the_next_message_goes_out(sandbox: Sandbox, channel: Sending) -> None:
    for kind in ("reset", "drop"):
        sandbox.client.add_fault("sms", kind, times=1)
        assert channel.send(Sms(TO, "first")).outcome is AttemptOutcome.UNANSWERED
        assert channel.send(Sms(TO, f"after {kind}")).outcome is AttemptOutcome.ACCEPTED


def test_many_threads_each_get_their_own_answer(sandbox: Sandbox, channel: Sending) -> None:
    bodies = [f"message {number} of many" for number in range(200)]
    with ThreadPoolExecutor(16) as threads:
        outcomes = list(threads.map(lambda body: channel.send(Sms(TO, body)), bodies))
    sids = {entry.body: entry.id for entry in read_entries(sandbox.ledger) if entry.event == "accepted"}
    assert [outcome.provider_id for outcome in outcomes] == [sids[body] for body in bodies]
    assert len({outcome.provider_id for outcome in outcomes}) == len(bodies)


def test_nothing_personal_is_logged(channel: Sending, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    channel.send(Sms(TO, "a secret text"))
    channel.send(Sms("+15005550001", "a secret text"))
    assert "2025550100" not in caplog.text
    assert "secret" not in caplog.text


def test_the_region_of_the_environment_changes_nothing(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWILIO_REGION", "ie1")
    monkeypatch.setenv("TWILIO_EDGE", "dublin")
    with a_channel(sandbox) as channel:
        assert channel.send(Sms(TO, "no region")).outcome is AttemptOutcome.ACCEPTED


def test_a_closed_channel_sends_nothing(sandbox: Sandbox) -> None:
    with a_channel(sandbox) as channel:
        channel.send(Sms(TO, "before"))
        channel.close()
        assert channel.send(Sms(TO, "after")).outcome is AttemptOutcome.HELD
    assert accepted(sandbox, "after") == []


def test_it_sends_no_email(channel: Sending) -> None:
    email = Email("a@example.com", "b@example.com", "<1@x>", datetime(2026, 1, 1, tzinfo=UTC), "s", "t", None)
    with pytest.raises(TypeError, match="Email"):
        channel.send(email)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"twilio_account_sid": "AC 1/2"}, "CADENZA_TWILIO_ACCOUNT_SID"),
        ({"twilio_auth_token": SecretStr("secret\u2026")}, "CADENZA_TWILIO_AUTH_TOKEN"),
        ({"twilio_api_url": "ftp://127.0.0.1"}, "CADENZA_TWILIO_API_URL"),
        ({"twilio_api_url": "127.0.0.1:8080"}, "CADENZA_TWILIO_API_URL"),
        ({"twilio_api_url": "http://[::1"}, "CADENZA_TWILIO_API_URL"),
        ({"twilio_api_url": "http://127.0.0.1:port"}, "CADENZA_TWILIO_API_URL"),
        ({"twilio_api_url": "http://user:secret@127.0.0.1"}, "CADENZA_TWILIO_API_URL"),
        ({"smtp_url": SecretStr("http://u:secret@host")}, "CADENZA_SMTP_URL"),
        ({"email_from": "nobody"}, "CADENZA_EMAIL_FROM"),
    ],
)
def test_settings_that_describe_no_channel(sandbox: Sandbox, changes: dict[str, object], named: str) -> None:
    with pytest.raises(InvalidInput, match=named) as caught:
        open_channels(some_settings(sandbox, **changes))
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
