"""The email channel against SMTP servers that keep to no rule, and its care for connections."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeAlias

import pytest
from sending import Sending, sending

from schema.states import AttemptOutcome
from workers.channels.channel import Email
from workers.channels.email import pool
from workers.channels.email.channel import EmailChannel
from workers.channels.email.server import Security, SmtpServer

CERTIFICATE: Final = Path(__file__).parent / "data" / "localhost.pem"
PATIENT, IMPATIENT = 10.0, 1.0

AN_EMAIL: Final = Email(
    to="ada@example.org",
    sender="Cadenza <cadenza@example.com>",
    message_id="<1@example.com>",
    date=datetime(2026, 11, 21, 7, 0, tzinfo=UTC),
    subject="See you soon",
    text="Hi Ada",
    html=None,
)
LONG: Final = replace(AN_EMAIL, text=("x" * 70 + "\n") * 500_000)

#: What is said at a command: a reply, or something done with the connection; None hangs up.
Say: TypeAlias = bytes | Callable[[socket.socket], None] | None

POLITE: Final[dict[str, Say]] = {
    "": b"220 hello\r\n",
    "EHLO": b"250 hello\r\n",
    "HELO": b"250 hello\r\n",
    "MAIL": b"250 ok\r\n",
    "RCPT": b"250 ok\r\n",
    "DATA": b"354 go on\r\n",
    ".": b"250 2.0.0 taken\r\n",
    "RSET": b"250 ok\r\n",
    "QUIT": None,
}
PIPELINING: Final = b"250-hello\r\n250 PIPELINING\r\n"


class Server:
    """An SMTP server that says at each command what the test says: "" is the greeting, "." the end of a message."""

    def __init__(self, says: dict[str, Say], certificate: Path | None) -> None:
        self.commands: list[str] = []
        self.messages: list[bytes] = []
        self.connections = 0
        self._says = POLITE | says
        self._tls = None
        if certificate is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._listen)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def wait_until_all_hung_up(self) -> None:
        for thread in self._threads[1:]:
            thread.join(10)
            assert not thread.is_alive()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        for connection in self._open:
            with suppress(OSError):  # it is closed already
                connection.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(10)
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:  # the client hung up
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as stream:
                self._converse(connection, stream.readline)

    def _converse(self, connection: socket.socket, readline: Callable[[], bytes]) -> None:
        verb = ""
        while self._say(connection, verb):
            if verb == "DATA" and self._says["DATA"] == POLITE["DATA"]:
                lines = []
                while (line := readline()) not in (b".\r\n", b""):
                    lines.append(line)
                if not line:
                    return
                self.messages.append(b"".join(lines))
                verb = "."
                continue
            command = readline()
            if not command:
                return
            verb = (command.split() or [b"?"])[0].decode("latin-1").upper()
            self.commands.append(verb)

    def _say(self, connection: socket.socket, verb: str) -> bool:
        said = self._says.get(verb, b"502 what?\r\n")
        if callable(said):
            said(connection)
        elif said is not None:
            connection.sendall(said)
        return said is not None


@contextmanager
def serving(says: dict[str, Say] | None = None, certificate: Path | None = None) -> Iterator[Server]:
    server = Server(says or {}, certificate)
    try:
        yield server
    finally:
        server.close()


@contextmanager
def channel_to(
    server: Server, timeout: float = PATIENT, security: Security = "none", user: str | None = None
) -> Iterator[Sending]:
    with sending(EmailChannel(SmtpServer("127.0.0.1", server.port, security, user, user), timeout)) as channel:
        yield channel


def mute(_connection: socket.socket) -> None:
    """Say nothing."""


@pytest.mark.parametrize("hello", [POLITE["EHLO"], PIPELINING, b"250-hello\r\n250-SIZE 1000\r\n250 8BITMIME\r\n"])
def test_with_and_without_pipelining(hello: bytes) -> None:
    with serving({"EHLO": hello}) as server, channel_to(server) as channel:
        for _ in range(3):
            assert channel.send(AN_EMAIL).outcome is AttemptOutcome.ACCEPTED
        assert server.commands == ["EHLO"] + ["MAIL", "RCPT", "DATA"] * 3
        assert len(set(server.messages)) == 1
        assert server.messages[0].endswith(b"\r\n\r\nHi Ada\r\n")


def test_a_server_from_before_esmtp() -> None:
    with serving({"EHLO": b"500 what?\r\n"}) as server, channel_to(server) as channel:
        assert channel.send(AN_EMAIL).outcome is AttemptOutcome.ACCEPTED


@pytest.mark.parametrize("hello", [POLITE["EHLO"], PIPELINING])
@pytest.mark.parametrize(
    ("verb", "says", "outcome", "code"),
    [
        ("", b"554 5.3.2 not here\r\n", AttemptOutcome.HELD, "554"),
        ("", b"421-4.3.2 not\r\n421 4.3.2 now\r\n", AttemptOutcome.HELD, "421"),
        ("", b"HTTP/1.1 400 Bad Request\r\n", AttemptOutcome.HELD, None),
        ("", None, AttemptOutcome.HELD, None),
        ("", mute, AttemptOutcome.HELD, None),
        ("EHLO", None, AttemptOutcome.HELD, None),
        ("MAIL", b"\xff\xfe\r\n", AttemptOutcome.HELD, None),
        ("MAIL", b"250 " + b"x" * 10_000 + b"\r\n", AttemptOutcome.HELD, None),
        ("MAIL", b"550 5.7.1 not you\r\n", AttemptOutcome.REFUSED, "550"),
        ("RCPT", b"550-5.1.1 no\r\n550 5.1.1 such user\r\n", AttemptOutcome.REFUSED, "550"),
        ("RCPT", b"354 what\r\n", AttemptOutcome.HELD, "354"),
        ("DATA", b"250 what\r\n", AttemptOutcome.HELD, "250"),
        ("DATA", b"451 4.3.0 not now\r\n", AttemptOutcome.HELD, "451"),
        ("DATA", None, AttemptOutcome.HELD, None),
        ("DATA", mute, AttemptOutcome.HELD, None),
        (".", b"554 5.6.0 content\r\n", AttemptOutcome.REFUSED, "554"),
        (".", b"354 what\r\n", AttemptOutcome.UNANSWERED, "354"),
        (".", b"what\r\n", AttemptOutcome.UNANSWERED, None),
        (".", b"250 " + b"x" * 10_000 + b"\r\n", AttemptOutcome.UNANSWERED, None),
        (".", None, AttemptOutcome.UNANSWERED, None),
        (".", mute, AttemptOutcome.UNANSWERED, None),
    ],
)
def test_what_a_server_may_say(hello: bytes, verb: str, says: Say, outcome: AttemptOutcome, code: str | None) -> None:
    timeout = IMPATIENT if says is mute else PATIENT
    all_says: dict[str, Say] = {"EHLO": hello, verb: says}
    with serving(all_says) as server, channel_to(server, timeout) as channel:
        told = channel.send(AN_EMAIL)
        assert len(server.messages) == (verb == ".")
    assert (told.outcome, told.error_code) == (outcome, code)


def test_a_message_to_nobody_is_never_finished() -> None:
    """RFC 2920 section 3.1: DATA may be granted though every recipient was refused."""
    says: dict[str, Say] = {"EHLO": PIPELINING, "RCPT": b"550 5.1.1 no such user\r\n"}
    with serving(says) as server, channel_to(server) as channel:
        told = channel.send(AN_EMAIL)
        server.wait_until_all_hung_up()
        assert (told.outcome, told.suppress) == (AttemptOutcome.REFUSED, "bounced")
        assert server.messages == []


def test_a_message_that_the_server_stops_reading_is_not_sent() -> None:
    given_up = threading.Event()

    def stop_reading(connection: socket.socket) -> None:
        connection.sendall(b"354 go on\r\n")
        given_up.wait(10)

    with serving({"DATA": stop_reading}) as server, channel_to(server, IMPATIENT) as channel:
        told = channel.send(LONG)
        given_up.set()
    assert told.outcome is AttemptOutcome.HELD


def test_a_message_that_the_server_breaks_off_is_not_sent() -> None:
    def read_a_little(connection: socket.socket) -> None:
        connection.sendall(b"354 go on\r\n")
        connection.recv(1000)
        connection.shutdown(socket.SHUT_RDWR)

    with serving({"DATA": read_a_little}) as server, channel_to(server) as channel:
        assert channel.send(LONG).outcome is AttemptOutcome.HELD


def run_ahead(last_words: bytes) -> Say:
    """Say everything up to the message at once, and hang up: so that it is known before the message is finished."""

    def say(connection: socket.socket) -> None:
        connection.sendall(b"250 ok\r\n250 ok\r\n354 go on\r\n" + last_words)
        connection.shutdown(socket.SHUT_WR)

    return say


@pytest.mark.parametrize(
    ("last_words", "outcome", "code"),
    [
        (b"", AttemptOutcome.HELD, None),
        (b"552 5.3.4 too big\r\n", AttemptOutcome.REFUSED, "552"),
        (b"421 4.3.2 closing\r\n", AttemptOutcome.HELD, "421"),
        (b"250 ok\r\n", AttemptOutcome.HELD, "250"),
    ],
)
def test_a_server_that_hung_up_gets_no_dot(last_words: bytes, outcome: AttemptOutcome, code: str | None) -> None:
    says: dict[str, Say] = {"MAIL": run_ahead(last_words), "RCPT": mute, "DATA": mute}
    with serving(says) as server, channel_to(server) as channel:
        told = channel.send(AN_EMAIL)
        server.wait_until_all_hung_up()
        assert "." not in server.commands
    assert (told.outcome, told.error_code) == (outcome, code)


def test_a_refused_message_is_forgotten_before_the_next() -> None:
    with serving({"RCPT": b"550 5.1.1 no such user\r\n"}) as server, channel_to(server) as channel:
        for _ in range(3):
            assert channel.send(AN_EMAIL).outcome is AttemptOutcome.REFUSED
        assert server.connections == 1
        assert server.commands == ["EHLO", "MAIL", "RCPT", "RSET", "MAIL", "RCPT", "RSET", "MAIL", "RCPT"]


@pytest.mark.parametrize("says", [b"502 never heard of it\r\n", b"421 bye\r\n", None])
def test_where_it_can_not_be_forgotten_there_is_a_new_connection(says: Say) -> None:
    with serving({"RCPT": b"550 5.1.1 no\r\n", "RSET": says}) as server, channel_to(server) as channel:
        for _ in range(3):
            assert channel.send(AN_EMAIL).outcome is AttemptOutcome.REFUSED
        assert server.connections == 3


def test_a_connection_serves_fifty_messages_and_says_goodbye() -> None:
    with serving() as server, channel_to(server) as channel:
        for _ in range(2 * pool.MESSAGES + 1):
            assert channel.send(AN_EMAIL).outcome is AttemptOutcome.ACCEPTED
        assert server.connections == 3
        channel.close()
        server.wait_until_all_hung_up()
        assert server.commands.count("QUIT") == 3


def test_a_connection_that_was_idle_for_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "IDLE_SECONDS", 0.0)
    with serving() as server, channel_to(server) as channel:
        for _ in range(3):
            assert channel.send(AN_EMAIL).outcome is AttemptOutcome.ACCEPTED
        server.wait_until_all_hung_up()
        assert (server.connections, server.commands.count("QUIT")) == (3, 3)


def test_a_closed_channel_keeps_no_connection() -> None:
    with serving() as server, channel_to(server) as channel:
        channel.close()
        assert channel.send(AN_EMAIL).outcome is AttemptOutcome.ACCEPTED
        server.wait_until_all_hung_up()


def test_encrypted_from_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(certificate=CERTIFICATE) as server, channel_to(server, security="tls") as suspicious:
        told = suspicious.send(AN_EMAIL)
        assert told.outcome is AttemptOutcome.HELD
        assert "certificate" in told.detail
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        with channel_to(server, security="tls") as channel:
            for _ in range(3):
                assert channel.send(AN_EMAIL).outcome is AttemptOutcome.ACCEPTED
            assert channel.send(LONG).outcome is AttemptOutcome.ACCEPTED
        assert len(server.messages) == 4


@pytest.mark.parametrize("greeting", [mute, POLITE[""], None])
def test_encrypted_from_the_start_where_nobody_shakes_hands(greeting: Say) -> None:
    with serving({"": greeting}) as server, channel_to(server, IMPATIENT, "tls") as channel:
        assert channel.send(AN_EMAIL).outcome is AttemptOutcome.HELD
        assert "MAIL" not in server.commands


@pytest.mark.parametrize("tls", [b"454 4.7.0 not now\r\n", b"220 go on\r\n", b"500 no\r\n", None])
def test_starttls_that_comes_to_nothing(tls: Say) -> None:
    says: dict[str, Say] = {"EHLO": b"250-hello\r\n250 STARTTLS\r\n", "STARTTLS": tls}
    with serving(says) as server, channel_to(server, IMPATIENT, "starttls") as channel:
        assert channel.send(AN_EMAIL).outcome is AttemptOutcome.HELD
        assert "MAIL" not in server.commands


@pytest.mark.parametrize(
    ("methods", "says", "code"),
    [
        (b"PLAIN LOGIN", b"535 5.7.8 no\r\n", "535"),
        (b"PLAIN", b"454 4.7.0 later\r\n", "454"),
        (b"CRAM-MD5", b"334 !not base64!\r\n", None),
        (b"GSSAPI", b"", None),
        (b"LOGIN", None, None),
    ],
)
def test_credentials_that_do_not_get_in(methods: bytes, says: Say, code: str | None) -> None:
    hello = b"250-hello\r\n250 AUTH " + methods + b"\r\n"
    with serving({"EHLO": hello, "AUTH": says}) as server, channel_to(server, IMPATIENT, user="ada") as channel:
        told = channel.send(AN_EMAIL)
        assert "MAIL" not in server.commands
    assert told.outcome is AttemptOutcome.HELD
    assert code is None or told.error_code == code
