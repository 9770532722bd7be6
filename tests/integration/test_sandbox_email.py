"""The sandbox's SMTP server, through smtplib over real sockets."""

import shutil
import smtplib
import socket
import ssl
import subprocess
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from deploy.sandbox.ledger import read_entries, read_ledger
from deploy.sandbox.options import SandboxOptions
from deploy.sandbox.process import LOG_FILE, start_sandbox
from deploy.sandbox.state import Sandbox

SENDER = "cadenza@example.com"
TO = "ada@example.org"

SELF_SIGNED = (
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    " -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox that has nothing to complain about, whatever its clients do."""
    folder = tmp_path_factory.mktemp("sandbox")
    with start_sandbox(SandboxOptions(data_dir=folder)) as process:
        yield process.sandbox
    assert (folder / LOG_FILE).read_text() == ""


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[smtplib.SMTP]:
    with smtplib.SMTP(sandbox.smtp_host, sandbox.smtp_port, timeout=10) as client:
        yield client


def email(to: str = TO, message_id: str | None = "<1@example.com>") -> EmailMessage:
    message = EmailMessage()
    message["From"] = f"Cadenza <{SENDER}>"
    message["To"] = to
    message["Subject"] = "See you soon"
    if message_id is not None:
        message["Message-ID"] = message_id
    message.set_content("Hi Ada,\n.\n..two dots\n.one dot\nGrüße.\n")
    message.add_alternative("<p>Hi Ada</p>\n", subtype="html")
    return message


def test_a_message_is_accepted_and_in_the_ledger(sandbox: Sandbox, client: smtplib.SMTP) -> None:
    message = email(message_id="<first@example.com>")
    message.set_boundary("the-boundary")
    client.send_message(message)
    entry = list(read_ledger(sandbox.ledger))[-1]
    assert (entry.channel, entry.event, entry.id) == ("email", "accepted", "<first@example.com>")
    assert (entry.to, entry.sender, entry.subject) == (TO, SENDER, "See you soon")
    assert entry.content("plain") == "Hi Ada,\n.\n..two dots\n.one dot\nGrüße.\n"
    assert entry.content("html") == "<p>Hi Ada</p>\n"
    assert entry.raw is not None
    assert entry.raw.encode() == message.as_bytes(policy=message.policy.clone(linesep="\r\n"))


def test_many_messages_on_one_connection(sandbox: Sandbox, client: smtplib.SMTP) -> None:
    known = len(list(read_ledger(sandbox.ledger)))
    for number in range(20):
        client.send_message(email(message_id=f"<many-{number}@example.com>"))
    entries = list(read_ledger(sandbox.ledger))[known:]
    assert [entry.id for entry in entries] == [f"<many-{number}@example.com>" for number in range(20)]


def test_each_recipient_has_a_line(sandbox: Sandbox, client: smtplib.SMTP) -> None:
    refused = client.send_message(email(), SENDER, ["one@example.org", "bounce@example.org", "two@example.org"])
    assert refused == {"bounce@example.org": (550, b"5.1.1 no such mailbox here")}
    entries = list(read_entries(sandbox.ledger))[-3:]
    assert [(entry.to, entry.event) for entry in entries] == [
        ("bounce@example.org", "refused"),
        ("one@example.org", "accepted"),
        ("two@example.org", "accepted"),
    ]


@pytest.mark.parametrize("body", [b"\r\n", b".\r\n", b"a.\r\nb.\r\n", b"no header\r\n.\r\n..\r\n", b"\xff\xfe.\r\n"])
def test_every_body_comes_through_whole(sandbox: Sandbox, client: smtplib.SMTP, body: bytes) -> None:
    client.sendmail(SENDER, TO, body)
    client.noop()
    entry = list(read_ledger(sandbox.ledger))[-1]
    assert entry.raw is not None
    assert entry.raw.encode("utf-8", "surrogateescape") == body
    assert (entry.id, entry.subject, entry.content("html")) == (None, None, None)


def test_headers_are_unfolded_and_decoded(sandbox: Sandbox, client: smtplib.SMTP) -> None:
    head = b"message-id:\r\n <folded@example.com>\r\nSUBJECT: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n =?utf-8?q?_an_alle?=\r\n"
    client.sendmail(SENDER, TO, head + b"\r\nSubject: not this\r\n")
    entry = list(read_ledger(sandbox.ledger))[-1]
    assert (entry.id, entry.subject) == ("<folded@example.com>", "Grüße an alle")
    client.sendmail(SENDER, TO, b"Subject: =?what?q?x?=\r\n\r\n")
    assert list(read_ledger(sandbox.ledger))[-1].subject == "=?what?q?x?="


def test_what_it_says_it_can(client: smtplib.SMTP) -> None:
    client.ehlo()
    assert client.esmtp_features.keys() == {"size", "8bitmime", "smtputf8", "pipelining", "help"}
    assert client.esmtp_features["size"] == str(25 * 1024 * 1024)


def test_pipelined_commands(sandbox: Sandbox) -> None:
    with socket.create_connection((sandbox.smtp_host, sandbox.smtp_port), timeout=10) as connection:
        replies = connection.makefile("rb")
        replies.readline()
        message = f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{TO}>\r\nDATA\r\n".encode()
        connection.sendall(b"EHLO x\r\n" + message)
        while (reply := replies.readline())[3:4] == b"-":
            pass
        assert [reply[:3], *[replies.readline()[:3] for _ in range(3)]] == [b"250", b"250", b"250", b"354"]
        connection.sendall(b"Message-ID: <piped@example.com>\r\n\r\nHi.\r\n.\r\n" + message + b".\r\nQUIT\r\n")
        assert [line[:3] for line in replies] == [b"250", b"250", b"250", b"354", b"250", b"221"]
        replies.close()
    assert [entry.raw for entry in read_ledger(sandbox.ledger)][-2:] == [
        "Message-ID: <piped@example.com>\r\n\r\nHi.\r\n",
        "",
    ]


def test_an_international_address(sandbox: Sandbox, client: smtplib.SMTP) -> None:
    client.send_message(email("grüße@exämple.org"))
    assert list(read_ledger(sandbox.ledger))[-1].to == "grüße@exämple.org"


def test_a_quoted_local_part(sandbox: Sandbox, client: smtplib.SMTP) -> None:
    client.sendmail(SENDER, '"ada lovelace"@example.org', b"x\r\n")
    assert list(read_ledger(sandbox.ledger))[-1].to == '"ada lovelace"@example.org'


def test_commands_out_of_order_and_malformed(client: smtplib.SMTP) -> None:
    assert client.docmd("MAIL", f"FROM:<{SENDER}>")[0] == 503
    client.ehlo()
    assert client.docmd("DATA")[0] == 503
    assert client.docmd("RCPT", f"TO:<{TO}>")[0] == 503
    for malformed in ("<ada@example.org", "ada@example.org", "<ada>", "<ada@>", "<a b@example.org>", "<a@b@c>"):
        assert client.docmd("MAIL", f"FROM:{malformed}")[0] == 553
    assert client.docmd("MAIL", f"FROM:<{SENDER}> SIZE=99999999")[0] == 552
    assert client.docmd("MAIL", f"FROM:<{SENDER}>")[0] == 250
    assert client.docmd("RCPT", f"TO:<{TO}>")[0] == 250
    assert client.docmd("DATA", "now")[0] == 501
    assert client.rset()[0] == 250


def test_a_line_that_is_too_long_is_refused(sandbox: Sandbox, client: smtplib.SMTP) -> None:
    known = len(list(read_ledger(sandbox.ledger)))
    with pytest.raises(smtplib.SMTPDataError) as caught:
        client.sendmail(SENDER, TO, b"x" * 999 + b"\r\n")
    assert caught.value.smtp_code == 500
    client.sendmail(SENDER, TO, b"x" * 998 + b"\r\n")
    assert len(list(read_ledger(sandbox.ledger))) == known + 1


def test_a_message_that_is_too_big_is_refused(sandbox: Sandbox, client: smtplib.SMTP) -> None:
    known = len(list(read_ledger(sandbox.ledger)))
    client.ehlo()
    client.does_esmtp = False  # so that it does not tell the size
    lines = b"x" * 100 + b".\r\n"
    with pytest.raises((smtplib.SMTPDataError, smtplib.SMTPServerDisconnected, OSError)):
        client.sendmail(SENDER, TO, lines * (26 * 1024 * 1024 // len(lines)))
    client.close()
    with smtplib.SMTP(sandbox.smtp_host, sandbox.smtp_port, timeout=10) as another:
        another.send_message(email())
    assert len(list(read_ledger(sandbox.ledger))) == known + 1


@pytest.mark.parametrize(
    ("mailbox", "code", "enhanced"),
    [
        ("bounce", 550, "5.1.1"),
        ("BOUNCE+17", 550, "5.1.1"),
        ("disabled", 550, "5.2.1"),
        ("blocked", 550, "5.7.1"),
        ("full", 452, "4.2.2"),
        ("defer", 451, "4.7.1"),
        ("greylist+first", 451, "4.7.1"),
        ("busy", 421, "4.3.2"),
    ],
)
def test_magic_mailboxes_at_rcpt(
    sandbox: Sandbox, client: smtplib.SMTP, mailbox: str, code: int, enhanced: str
) -> None:
    to = f"{mailbox}@example.org"
    with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        client.send_message(email(to))
    reply = caught.value.recipients[to]
    assert (reply[0], reply[1].split()[0].decode()) == (code, enhanced)
    entry = list(read_entries(sandbox.ledger))[-1]
    assert (entry.event, entry.to, entry.code, entry.id) == ("refused", to, f"{code} {enhanced}", None)


@pytest.mark.parametrize(("mailbox", "code"), [("spam", 554), ("later", 451)])
def test_magic_mailboxes_after_the_dot(sandbox: Sandbox, client: smtplib.SMTP, mailbox: str, code: int) -> None:
    with pytest.raises(smtplib.SMTPDataError) as caught:
        client.send_message(email(f"{mailbox}@example.org", message_id="<late@example.com>"))
    assert caught.value.smtp_code == code
    entry = list(read_entries(sandbox.ledger))[-1]
    assert (entry.event, entry.id, str(entry.code)[:3]) == ("refused", "<late@example.com>", str(code))


def test_greylisting_accepts_the_second_try(client: smtplib.SMTP) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        client.send_message(email("greylist@example.org"))
    client.send_message(email("greylist@example.org"))


def test_auth_is_needed_where_there_is_a_user(tmp_path: Path) -> None:
    with start_sandbox(SandboxOptions(data_dir=tmp_path, smtp_user="ada@x", smtp_password="p:w/1")) as process:
        sandbox = process.sandbox
        assert sandbox.smtp_url == f"smtp://ada%40x:p%3Aw%2F1@127.0.0.1:{sandbox.smtp_port}"
        with smtplib.SMTP(sandbox.smtp_host, sandbox.smtp_port, timeout=10) as client:
            with pytest.raises(smtplib.SMTPSenderRefused) as refused:
                client.send_message(email())
            assert refused.value.smtp_code == 530
            for wrong in ("wrong", ""):
                with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
                    client.login("ada@x", wrong)
                assert caught.value.smtp_code == 535
            client.login("ada@x", "p:w/1")
            client.send_message(email())
        assert process.client.counts()["email"] == {"accepted": 1, "refused": 0}
    assert (tmp_path / LOG_FILE).read_text() == ""


def test_auth_is_not_offered_where_there_is_none(client: smtplib.SMTP) -> None:
    with pytest.raises(smtplib.SMTPNotSupportedError):
        client.login("ada", "secret")


def test_starttls(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    assert openssl is not None, "this test needs the openssl program"
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        [openssl, *SELF_SIGNED.split(), "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    options = SandboxOptions(data_dir=tmp_path / "data", smtp_certificate=certificate, smtp_key=key)
    trust = ssl.create_default_context(cafile=str(certificate))
    with start_sandbox(options) as process:
        with smtplib.SMTP(process.sandbox.smtp_host, process.sandbox.smtp_port, timeout=10) as client:
            assert client.starttls(context=trust)[0] == 220
            client.send_message(email())
            process.client.add_fault("email", "reset", "accepted", times=1)
            with pytest.raises((smtplib.SMTPServerDisconnected, OSError)):
                client.send_message(email())
            client.close()
        assert process.client.counts()["email"]["accepted"] == 2
    assert (tmp_path / "data" / LOG_FILE).read_text() == ""
