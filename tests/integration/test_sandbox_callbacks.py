"""The sandbox's status callbacks, as a real HTTP server receives them."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from deploy.sandbox.options import SENDER, SandboxOptions
from deploy.sandbox.process import LOG_FILE, SandboxProcess, start_sandbox
from deploy.sandbox.state import Sandbox


@dataclass
class Received:
    path: str
    form: dict[str, str]
    signature: str


@dataclass
class Receiver:
    """A webhook's host on a free port; answers with `status`."""

    status: int = 204
    received: list[Received] = field(default_factory=list)
    port: int = 0

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            signature = self.headers["X-Twilio-Signature"]
            receiver.received.append(Received(self.path, dict(parse_qsl(body, keep_blank_values=True)), signature))
            self.send_response(receiver.status)
            self.send_header("Location", receiver.url("/elsewhere"))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield receiver
        server.shutdown()
        thread.join()


@pytest.fixture
def process(tmp_path: Path) -> Iterator[SandboxProcess]:
    """A sandbox that delivers fast, and that has nothing to complain about."""
    with start_sandbox(SandboxOptions(data_dir=tmp_path, sent_after=0.05, delivered_after=0.1)) as process:
        yield process
    assert (tmp_path / LOG_FILE).read_text() == ""


def send(sandbox: Sandbox, callback: str | None, **more: str) -> str:
    http = TwilioHttpClient(timeout=10)
    http.session.trust_env = False
    client = Client(sandbox.account_sid, sandbox.auth_token, http_client=http)
    client.api.base_url = sandbox.http_url
    sender = more or {"from_": SENDER}
    message = client.messages.create(to="+12025550100", body="Hi", status_callback=callback or "", **sender)
    http.session.close()
    assert message.sid is not None
    return message.sid


def wait_for_callbacks(process: SandboxProcess, **expected: int) -> None:
    """Wait until none is waiting; then the counts are these."""
    deadline = time.monotonic() + 20
    while (counts := process.client.callbacks())["waiting"] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert counts == {"waiting": 0, "answered": 0, "refused": 0, "unanswered": 0, **expected}


def test_sent_and_delivered_are_told_signed(process: SandboxProcess, receiver: Receiver) -> None:
    url = receiver.url("/status/w1?token=a%2Fb%3D&x=%C3%BC")
    sid = send(process.sandbox, url)
    wait_for_callbacks(process, answered=2)
    assert sorted(callback.form["MessageStatus"] for callback in receiver.received) == ["delivered", "sent"]
    validator = RequestValidator(process.sandbox.auth_token)
    for callback in receiver.received:
        assert callback.path == "/status/w1?token=a%2Fb%3D&x=%C3%BC"
        assert callback.form == {
            "AccountSid": process.sandbox.account_sid,
            "ApiVersion": "2010-04-01",
            "From": SENDER,
            "MessageSid": sid,
            "MessageStatus": callback.form["MessageStatus"],
            "SmsSid": sid,
            "SmsStatus": callback.form["MessageStatus"],
            "To": "+12025550100",
        }
        assert validator.validate(url, callback.form, callback.signature)
        assert not validator.validate(url + "x", callback.form, callback.signature)


def test_a_messaging_service_is_named(process: SandboxProcess, receiver: Receiver) -> None:
    send(process.sandbox, receiver.url("/"), messaging_service_sid="MG" + "b" * 32)
    wait_for_callbacks(process, answered=2)
    assert {callback.form["MessagingServiceSid"] for callback in receiver.received} == {"MG" + "b" * 32}


def test_a_refusal_and_a_redirect_are_not_followed(process: SandboxProcess, receiver: Receiver) -> None:
    for status in (500, 307):
        receiver.status = status
        send(process.sandbox, receiver.url("/"))
        wait_for_callbacks(process, refused=2 if status == 500 else 4)
    assert {callback.path for callback in receiver.received} == {"/"}


def test_nobody_there_does_no_harm(process: SandboxProcess) -> None:
    send(process.sandbox, "http://127.0.0.1:1/")
    wait_for_callbacks(process, unanswered=2)
    send(process.sandbox, None)
    wait_for_callbacks(process, unanswered=2)


def test_they_can_be_switched_off(tmp_path: Path, receiver: Receiver) -> None:
    options = SandboxOptions(data_dir=tmp_path, callbacks=False, sent_after=0, delivered_after=0)
    with start_sandbox(options) as process:
        send(process.sandbox, receiver.url("/"))
        wait_for_callbacks(process)
    assert receiver.received == []


def test_a_message_moves_on_without_a_callback(process: SandboxProcess) -> None:
    sid = send(process.sandbox, None)
    http = TwilioHttpClient(timeout=10)
    http.session.trust_env = False
    client = Client(process.sandbox.account_sid, process.sandbox.auth_token, http_client=http)
    client.api.base_url = process.sandbox.http_url
    deadline = time.monotonic() + 20
    while (message := client.messages(sid).fetch()).status != "delivered" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert message.status == "delivered"
    assert message.date_sent is not None
    assert message.date_created <= message.date_sent <= message.date_updated
    http.session.close()
