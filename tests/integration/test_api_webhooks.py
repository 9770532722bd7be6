"""Who may call the webhooks, and with what."""

import socket
from collections.abc import Iterator
from urllib.parse import urlencode, urlsplit

import pytest
import structlog
from pydantic import SecretStr
from twilio_side import SID, TOKEN, Answer, TwilioSide, api, with_twilio
from world import World

from deploy.cli.serving import PATIENCE as API_PATIENCE
from deploy.sandbox.webhook import TOTAL_SECONDS
from engine.rules.token import sign
from engine.settings import Settings

FORBIDDEN = Answer(403, "forbidden\n")


@pytest.fixture
def workspace(world: World) -> str:
    ((public_id,),) = world.query("SELECT public_id FROM workspaces")
    assert isinstance(public_id, str)
    return public_id


@pytest.fixture
def twilio(settings: Settings, workspace: str) -> Iterator[TwilioSide]:
    with api(with_twilio(settings), workspace) as twilio:
        yield twilio


def events(world: World) -> list[tuple[str, str]]:
    return world.query("SELECT kind, status FROM events ORDER BY id")


def head(twilio: TwilioSide, length: str) -> bytes:
    return f"POST /webhooks/twilio/{twilio.workspace}/inbound HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n".encode()


def test_what_twilio_signed_is_taken(twilio: TwilioSide, world: World) -> None:
    assert twilio.status("SM1", "delivered") == Answer(204, "")
    answer = twilio.inbound("+12025550001", "Hello")
    assert (answer.status, answer.body) == (200, '<?xml version="1.0" encoding="UTF-8"?><Response />')
    assert events(world) == [("status", "delivered"), ("inbound", "reply")]


def test_what_is_signed_otherwise_is_refused(twilio: TwilioSide, world: World) -> None:
    forged = TwilioSide(twilio.url, twilio.workspace, twilio.public_url, token=TOKEN + "x")
    elsewhere = TwilioSide(twilio.url, twilio.workspace, "https://other.example.com")
    path = f"/webhooks/twilio/{twilio.workspace}/inbound"
    form = urlencode({"AccountSid": SID, "MessageSid": "SM1", "From": "+12025550001", "Body": "STOP"}).encode()
    with structlog.testing.capture_logs() as logs:
        assert forged.inbound("+12025550001", "STOP") == FORBIDDEN
        assert forged.status("SM1", "delivered") == FORBIDDEN
        assert elsewhere.inbound("+12025550001", "STOP") == FORBIDDEN
        assert twilio.send("POST", path, form) == FORBIDDEN
        assert twilio.send("POST", path, form, {"X-Twilio-Signature": ""}) == FORBIDDEN
        assert twilio.send("POST", path, b"\xff\xfe=%ff", {"X-Twilio-Signature": "x"}) == FORBIDDEN
        assert twilio.send("POST", path, b"&".join([b"a=1"] * 600), {"X-Twilio-Signature": "x"}) == FORBIDDEN
        assert twilio.send("POST", path, None, {"X-Twilio-Signature": "x"}) == FORBIDDEN
    assert events(world) == []
    assert [entry["event"] for entry in logs] == ["request refused"] * 8
    assert "2025550001" not in str(logs)


def test_the_host_header_is_not_believed(twilio: TwilioSide) -> None:
    mistaken = TwilioSide(twilio.url, twilio.workspace, twilio.url)
    assert mistaken.inbound("+12025550001", "STOP") == FORBIDDEN
    headers = {"Host": "hooks.example.com", "X-Forwarded-Host": "hooks.example.com", "X-Forwarded-Proto": "https"}
    assert mistaken.post("inbound", {"MessageSid": "SM1", "From": "+12025550001"}, **headers) == FORBIDDEN


def test_a_signature_holds_for_its_own_url_and_form_alone(twilio: TwilioSide) -> None:
    path = f"/webhooks/twilio/{twilio.workspace}/inbound"
    form = {"AccountSid": SID, "MessageSid": "SM1", "From": "+12025550001", "Body": "Hi"}
    headers = {"X-Twilio-Signature": twilio.signer.compute_signature(twilio.public_url + path, form)}
    assert twilio.send("POST", path + "?x=1", urlencode(form).encode(), headers) == FORBIDDEN
    assert twilio.send("POST", path, urlencode({**form, "Body": "STOP"}).encode(), headers) == FORBIDDEN
    assert twilio.send("POST", path, urlencode(form).encode() + b"&Body=STOP", headers) == FORBIDDEN
    assert twilio.send("POST", path, urlencode(form).encode(), headers).status == 200


def test_another_account_is_refused(twilio: TwilioSide, world: World) -> None:
    for account in ("AC" + "8" * 32, "", "é"):
        other = TwilioSide(twilio.url, twilio.workspace, twilio.public_url, account_sid=account)
        assert other.inbound("+12025550001", "STOP") == FORBIDDEN
    assert events(world) == []


@pytest.mark.parametrize("name", ["default", "ws_unknown", "ws_%00", "ws_%C3%BC", "1", "%27", "x" * 100])
def test_an_unknown_workspace_is_refused(twilio: TwilioSide, world: World, name: str) -> None:
    nobody = TwilioSide(twilio.url, name, twilio.public_url)
    assert nobody.inbound("+12025550001", "STOP") == FORBIDDEN
    assert nobody.status("SM1", "sent") == FORBIDDEN
    assert events(world) == []


def test_a_token_of_another_workspace_is_refused(twilio: TwilioSide, world: World) -> None:
    world.execute("INSERT INTO workspaces (key, name) VALUES ('other', 'Other')")
    secrets = dict(world.query("SELECT key, webhook_secret FROM workspaces"))
    assert len(set(secrets.values())) == 2
    assert all(len(secret) == 64 for secret in secrets.values())
    assert twilio.status("SM1", "sent", sign(secrets["other"], 1, 1)) == FORBIDDEN
    assert twilio.status("SM1", "sent", "nonsense") == FORBIDDEN
    assert events(world) == []
    assert twilio.status("SM1", "sent", sign(secrets["default"], 1, 1)).status == 204


def test_the_body_is_limited(twilio: TwilioSide, world: World) -> None:
    answer = twilio.inbound("+12025550001", "x" * 64 * 1024)
    assert answer == Answer(413, "the body is longer than 65536 bytes\n")
    assert twilio.send("POST", f"/webhooks/twilio/{twilio.workspace}/inbound", b"x" * 900_000).status == 413
    assert events(world) == []
    assert twilio.inbound("+12025550001", "x" * 60_000).status == 200


def test_the_body_is_limited_while_it_is_read(twilio: TwilioSide) -> None:
    """Chunks come one by one, and no length is told before."""
    parts = urlsplit(twilio.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30) as connection:
        connection.sendall(head(twilio, "Transfer-Encoding: chunked"))
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        for _ in range(17):
            connection.sendall(chunk)
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_a_length_far_too_large_is_refused_unread(twilio: TwilioSide) -> None:
    parts = urlsplit(twilio.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30) as connection:
        connection.sendall(head(twilio, "Content-Length: 9999999999"))
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_a_form_without_what_it_must_have_is_refused(twilio: TwilioSide, world: World) -> None:
    assert twilio.post("inbound", {"From": "+12025550001"}) == Answer(400, "the form has no MessageSid\n")
    assert twilio.post("inbound", {"MessageSid": "SM1"}) == Answer(400, "the form has no From\n")
    assert twilio.post("status", {"MessageSid": "SM1"}) == Answer(400, "the form has no MessageStatus\n")
    assert events(world) == []


def test_other_methods_and_paths_are_unknown(twilio: TwilioSide) -> None:
    path = f"/webhooks/twilio/{twilio.workspace}/inbound"
    assert twilio.send("GET", path).status == 405
    for unknown in ("/", "/docs", "/openapi.json", "/webhooks/twilio/x", "/webhooks/twilio/x/y/inbound"):
        assert twilio.send("GET", unknown).status == 404


@pytest.mark.parametrize("missing", ["public_url", "twilio_account_sid", "twilio_auth_token"])
def test_without_a_setting_it_says_which(settings: Settings, workspace: str, missing: str) -> None:
    incomplete = with_twilio(settings).model_copy(update={missing: None})
    with structlog.testing.capture_logs() as logs, api(incomplete, workspace) as twilio:
        answer = twilio.inbound("+12025550001", "STOP")
    assert answer.status == 503
    assert f"CADENZA_{missing.upper()}" in answer.body
    assert [entry["log_level"] for entry in logs] == ["error"]
    assert f"CADENZA_{missing.upper()}" in logs[0]["reason"]


def test_what_it_is_sent_is_not_logged(twilio: TwilioSide, world: World) -> None:
    with structlog.testing.capture_logs() as logs:
        twilio.inbound("+12025550001", "my secret", ProfileName="Ana")
        twilio.status("SM1", "failed", ErrorCode="30006", To="+12025550002")
    assert len(logs) == 3
    for told in ("2025550001", "secret", "Ana", "2025550002", TOKEN):
        assert told not in str(logs)


def test_without_a_database_it_says_so_before_twilio_has_given_up(settings: Settings) -> None:
    """Who is told in time that it failed can be told to call another address then, or again."""
    away = with_twilio(settings).model_copy(update={"database_url": SecretStr("postgresql://x@127.0.0.1:1/x")})
    assert 2 * API_PATIENCE + 1 < TOTAL_SECONDS
    with api(away, "ws_x") as twilio:
        answer = twilio.inbound("+12025550001", "STOP")
    assert answer == Answer(503, f"Postgres: no connection within {API_PATIENCE:g} seconds\n")


@pytest.mark.parametrize("left_in_the_path", [True, False], ids=["left in the path", "taken away"])
@pytest.mark.parametrize(
    "public_url",
    [
        "https://hooks.example.com",
        "https://hooks.example.com/",
        "https://hooks.example.com:8443",
        "https://hooks.example.com/cadenza",
        "https://hooks.example.com/cadenza/",
        "https://hooks.example.com/a/b%20c",
        "https://hooks.example.com/webhooks",
    ],
)
def test_the_public_url_may_have_a_path(
    settings: Settings, workspace: str, public_url: str, left_in_the_path: bool
) -> None:
    """A proxy before us takes it away, or leaves it; Twilio signs what it calls."""
    behind = with_twilio(settings).model_copy(update={"public_url": public_url})
    with api(behind, workspace) as twilio:
        path = f"/webhooks/twilio/{workspace}/inbound"
        form = {"AccountSid": SID, "MessageSid": "SM1", "From": "+12025550001", "Body": "Hi"}
        signature = twilio.signer.compute_signature(public_url.rstrip("/") + path, form)
        prefix = urlsplit(public_url).path.rstrip("/") if left_in_the_path else ""
        headers = {"X-Twilio-Signature": signature}
        assert twilio.send("POST", prefix + path, urlencode(form).encode(), headers).status == 200
        forged = urlencode({**form, "Body": "STOP"}).encode()
        assert twilio.send("POST", prefix + path, forged, headers) == FORBIDDEN
