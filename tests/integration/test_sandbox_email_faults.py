"""Every fault of the sandbox's SMTP server, as smtplib meets it."""

import smtplib
import socket
import time
from collections.abc import Callable, Iterator
from email.message import EmailMessage

import pytest

from deploy.sandbox.ledger import Entry, read_entries
from deploy.sandbox.options import SandboxOptions
from deploy.sandbox.process import LOG_FILE, start_sandbox
from deploy.sandbox.state import Sandbox

GONE = (smtplib.SMTPServerDisconnected, ConnectionError)

#: The stages before a message is accepted, in which a connection may be cut.
BEFORE = ["connect", "mail", "rcpt", "data", "body", "dot"]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("sandbox")
    with start_sandbox(SandboxOptions(data_dir=folder)) as process:
        yield process.sandbox
    assert (folder / LOG_FILE).read_text() == ""


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    yield running
    running.client.end_faults()


def send(sandbox: Sandbox, to: str = "ada@example.org") -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Message-ID"] = "cadenza@example.com", to, "<1@example.com>"
    message.set_content("Hi\n")
    with connected(sandbox) as client:
        client.send_message(message)


def connected(sandbox: Sandbox) -> smtplib.SMTP:
    return smtplib.SMTP(sandbox.smtp_host, sandbox.smtp_port, timeout=20)


def begin(client: smtplib.SMTP, to: str) -> None:
    """Begin a message, up to the answer to DATA."""
    client.ehlo()
    client.mail("cadenza@example.com")
    client.rcpt(to)
    assert client.docmd("DATA")[0] == 354


def accepted(sandbox: Sandbox) -> list[Entry]:
    return [entry for entry in read_entries(sandbox.ledger) if entry.event == "accepted"]


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data", "dot", "accepted"])
def test_latency(sandbox: Sandbox, stage: str) -> None:
    known = len(accepted(sandbox))
    sandbox.client.add_fault("email", "latency", stage, seconds=0.3, times=1)
    before = time.monotonic()
    send(sandbox)
    assert time.monotonic() - before >= 0.3
    assert len(accepted(sandbox)) == known + 1


def test_latency_outlasts_the_client(sandbox: Sandbox) -> None:
    known = len(accepted(sandbox))
    sandbox.client.add_fault("email", "latency", seconds=0.5, times=1)
    before = time.time()
    with pytest.raises(smtplib.SMTPServerDisconnected), connected(sandbox) as client:
        begin(client, "ada@example.org")
        assert client.sock is not None
        client.sock.settimeout(0.1)
        client.send(b"Hi\r\n.\r\n")
        client.getreply()
    wait_until(lambda: len(accepted(sandbox)) > known)
    assert accepted(sandbox)[-1].at - before >= 0.5


@pytest.mark.parametrize("kind", ["drop", "reset"])
@pytest.mark.parametrize("stage", BEFORE)
def test_cut_before_it_is_accepted(sandbox: Sandbox, kind: str, stage: str) -> None:
    known = len(accepted(sandbox))
    fault = sandbox.client.add_fault("email", kind, stage, times=1)
    with pytest.raises(GONE):
        send(sandbox)
    assert len(accepted(sandbox)) == known
    if stage not in ("connect", "mail"):
        refused = list(read_entries(sandbox.ledger))[-1]
        assert (refused.event, refused.fault, refused.code) == ("refused", fault.id, None)
        assert refused.id == ("<1@example.com>" if stage == "dot" else None)
    send(sandbox)
    assert len(accepted(sandbox)) == known + 1


@pytest.mark.parametrize("kind", ["drop", "reset"])
def test_cut_after_it_was_accepted(sandbox: Sandbox, kind: str) -> None:
    known = len(accepted(sandbox))
    fault = sandbox.client.add_fault("email", kind, "accepted", times=1)
    with pytest.raises(GONE):
        send(sandbox)
    assert len(accepted(sandbox)) == known + 1
    assert (accepted(sandbox)[-1].fault, accepted(sandbox)[-1].id) == (fault.id, "<1@example.com>")


@pytest.mark.parametrize("kind", ["drop", "reset"])
def test_a_cut_in_the_body_is_known_before_the_dot(sandbox: Sandbox, kind: str) -> None:
    """A client that flushes the body and then writes the dot hears of it before it begins with the dot."""
    sandbox.client.add_fault("email", kind, "body", times=1)
    with connected(sandbox) as client:
        begin(client, "ada@example.org")
        assert client.sock is not None
        with pytest.raises(ConnectionError):
            for _ in range(1000):
                client.sock.sendall(b"Hi\r\n")
                time.sleep(0.001)
        client.close()


@pytest.mark.parametrize(("stage", "more"), [*[(stage, 0) for stage in BEFORE], ("accepted", 1)])
def test_silence(sandbox: Sandbox, stage: str, more: int) -> None:
    known = len(accepted(sandbox))
    sandbox.client.add_fault("email", "silence", stage, times=1)
    with socket.create_connection((sandbox.smtp_host, sandbox.smtp_port), timeout=20) as connection:
        commands = ["", "EHLO x", "MAIL FROM:<a@example.com>", "RCPT TO:<b@example.org>", "DATA", "Hi\r\n."]
        answered = ["connect", "", "mail", "rcpt", "data"].index(stage) if stage in BEFORE[:4] else 5
        with connection.makefile("rb") as replies:
            for command in commands[:answered]:
                connection.sendall(f"{command}\r\n".encode() if command else b"")
                while replies.readline()[3:4] == b"-":
                    pass
            connection.sendall(f"{commands[answered]}\r\n".encode())
            wait_until(lambda: sandbox.client.faults()[0].hits == 1)
            assert len(accepted(sandbox)) == known + more
            connection.settimeout(0.1)
            with pytest.raises(TimeoutError):
                replies.readline()
    send(sandbox)


@pytest.mark.parametrize(
    ("stage", "error"),
    [
        ("connect", smtplib.SMTPConnectError),
        ("mail", smtplib.SMTPSenderRefused),
        ("rcpt", smtplib.SMTPRecipientsRefused),
        ("data", smtplib.SMTPDataError),
        ("dot", smtplib.SMTPDataError),
    ],
)
@pytest.mark.parametrize(("code", "text"), [(421, "4.3.2 closing"), (451, "4.7.1 slow down"), (550, None)])
def test_replies(sandbox: Sandbox, stage: str, error: type[Exception], code: int, text: str | None) -> None:
    known = len(accepted(sandbox))
    sandbox.client.add_fault("email", "reply", stage, code=code, text=text, times=1)
    with pytest.raises(error) as caught:
        send(sandbox)
    assert str(code) in str(caught.value)
    assert (text or "told to fail") in str(caught.value)
    assert len(accepted(sandbox)) == known
    if stage == "rcpt":
        expected = f"{code} {text.split()[0]}" if text else str(code)
        assert list(read_entries(sandbox.ledger))[-1].code == expected
    send(sandbox)


def test_a_connection_serves_on_after_a_reply(sandbox: Sandbox) -> None:
    message = b"Hi\r\n"
    with connected(sandbox) as client:
        for stage in ("mail", "rcpt", "data", "dot"):
            sandbox.client.add_fault("email", "reply", stage, code=451, times=1)
            with pytest.raises(smtplib.SMTPException):
                client.sendmail("cadenza@example.com", "ada@example.org", message)
            client.sendmail("cadenza@example.com", "ada@example.org", message)


def test_refuse_stops_listening_until_it_ends(sandbox: Sandbox) -> None:
    with connected(sandbox) as idle:
        idle.ehlo()
        fault = sandbox.client.add_fault("email", "refuse")
        with pytest.raises(ConnectionRefusedError):
            send(sandbox)
        with pytest.raises(GONE):
            idle.docmd("NOOP")
        idle.close()
    sandbox.client.end_faults(fault.id)
    send(sandbox)


def test_refuse_lets_a_message_under_way_end(sandbox: Sandbox) -> None:
    known = len(accepted(sandbox))
    with connected(sandbox) as client:
        client.ehlo()
        client.mail("cadenza@example.com")
        client.rcpt("ada@example.org")
        sandbox.client.add_fault("email", "refuse")
        assert client.data(b"Hi\r\n")[0] == 250
        assert client.mail("cadenza@example.com")[0] == 421
        client.close()
    assert len(accepted(sandbox)) == known + 1


def test_by_recipient_and_by_share(sandbox: Sandbox) -> None:
    sandbox.client.add_fault("email", "reply", code=451, to="grace@example.org", times=1)
    sandbox.client.add_fault("email", "reply", "dot", code=554, to_contains="@bad.")
    send(sandbox)
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(sandbox, "grace@example.org")
    with pytest.raises(smtplib.SMTPDataError):
        send(sandbox, "grace@bad.example")
    send(sandbox, "grace@example.org")
    sandbox.client.end_faults()
    fault = sandbox.client.add_fault("email", "reply", code=451, share=0.5, seed=7)
    refused = 0
    for _ in range(20):
        try:
            send(sandbox)
        except smtplib.SMTPRecipientsRefused:
            refused += 1
    assert 1 <= refused <= 19
    assert sandbox.client.end_faults(fault.id)[0].hits == refused
