"""The SMS channel against servers that no provider would run: broken answers, TLS, proxies, connections kept."""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sending import Sending, sending

from engine.errors import InvalidInput
from schema.states import AttemptOutcome
from workers.channels.channel import Sms
from workers.channels.sms import api, posting
from workers.channels.sms.channel import SmsChannel

CERTIFICATE = Path(__file__).parent / "data" / "localhost.pem"
TO = "+12025550100"
SID = "SM" + "a" * 32
PATIENT, IMPATIENT = 10.0, 1.0

Answer = Callable[[bytes], bytes | None]


class Server:
    """Reads requests from any number of connections and answers them as the test says; None closes the connection."""

    def __init__(self, answer: Answer, certificate: Path | None = None) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.piece = 1_000_000
        self.hangs_up = False
        self._answer = answer
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

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        for connection in self._open:
            with suppress(OSError):  # it is closed already
                connection.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(10)
        self._listener.close()

    def say(self, what: bytes) -> None:
        """Say something that nobody asked for, over the newest connection."""
        self._open[-1].sendall(what)

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
                while request := _read_request(stream.readline, stream.read):
                    self.requests.append(request)
                    answer = self._answer(request)
                    if answer is None:
                        return
                    for start in range(0, len(answer), self.piece):
                        connection.sendall(answer[start : start + self.piece])
                    if self.hangs_up:
                        return


def _read_request(readline: Callable[[], bytes], read: Callable[[int], bytes]) -> bytes:
    request, length = b"", 0
    while line := readline():
        request += line
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
        if line == b"\r\n":
            return request + read(length)
    return request


def answer(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def created(_request: bytes = b"") -> bytes:
    return answer("201 Created", json.dumps({"sid": SID, "status": "queued"}).encode())


@contextmanager
def serving(how: Answer, certificate: Path | None = None) -> Iterator[Server]:
    server = Server(how, certificate)
    try:
        yield server
    finally:
        server.close()


@contextmanager
def channel_to(url: str, timeout: float = PATIENT) -> Iterator[Sending]:
    with sending(SmsChannel("AC" + "1" * 32, "token", {"from_": "+15005550006"}, url, timeout)) as channel:
        yield channel


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{",
        b"null",
        b"[]",
        b'"SM1"',
        b"17",
        b"{}",
        b'{"sid": null}',
        b'{"sid": 17}',
        b'{"sid": ""}',
        b'{"sid": "SM1", "date_created": 5}',
        b'{"sid": "SM1", "date_created": "Sat, 99 Nov 2026 99:00:00 +0000"}',
        b"[" * 100_000,
        b"\xff\xfe\x00",
    ],
)
def test_a_good_answer_that_is_not_twilios_settles_nothing(body: bytes) -> None:
    with (
        serving(lambda _: answer("201 Created", body)) as server,
        channel_to(f"http://127.0.0.1:{server.port}") as channel,
    ):
        told = channel.send(Sms(TO, "Hi"))
    assert (told.outcome, told.provider_id, told.error_code) == (AttemptOutcome.UNANSWERED, None, "201")


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n{",
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 201 Created\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
        b"HTTP/1.1 201 Created\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
        b"\x00" * 100,
    ],
    ids=lambda raw: repr(raw[:40]),
)
def test_an_answer_that_breaks_off_settles_nothing_and_nothing_is_sent_twice(raw: bytes) -> None:
    told_once = iter([raw])
    with (
        serving(lambda _: next(told_once, None)) as server,
        channel_to(f"http://127.0.0.1:{server.port}", IMPATIENT) as channel,
    ):
        told = channel.send(Sms(TO, "Hi"))
        assert len(server.requests) == 1
    assert (told.outcome, told.provider_id) == (AttemptOutcome.UNANSWERED, None)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("301 Moved", AttemptOutcome.HELD),
        ("303 See Other", AttemptOutcome.UNANSWERED),
        ("307 Temporary", AttemptOutcome.HELD),
    ],
)
def test_a_redirect_is_not_followed(status: str, outcome: AttemptOutcome) -> None:
    with (
        serving(lambda _: answer(status, b"", "Location: /elsewhere")) as server,
        channel_to(f"http://127.0.0.1:{server.port}") as channel,
    ):
        assert channel.send(Sms(TO, "Hi")).outcome is outcome
        assert len(server.requests) == 1


def test_retry_after_as_a_date() -> None:
    headers = ("Date: Sat, 21 Nov 2026 07:00:00 GMT", "Retry-After: Sat, 21 Nov 2026 07:01:30 GMT")
    with (
        serving(lambda _: answer("429 Too Many Requests", b"{}", *headers)) as server,
        channel_to(f"http://127.0.0.1:{server.port}") as channel,
    ):
        assert channel.send(Sms(TO, "Hi")).retry_after == 90


def test_an_rfc_9457_answer_is_understood() -> None:
    problem = {"type": "x", "title": "Opted out", "detail": "+12025550100 did", "status": 400, "code": 21610}
    with (
        serving(lambda _: answer("400 Bad Request", json.dumps(problem).encode())) as server,
        channel_to(f"http://127.0.0.1:{server.port}") as channel,
    ):
        told = channel.send(Sms(TO, "Hi"))
    assert (told.outcome, told.error_code, told.suppress) == (AttemptOutcome.REFUSED, "21610", "unsubscribed")
    assert told.detail == "Opted out: <number> did"


def test_the_status_of_http_counts_not_that_in_the_body() -> None:
    problem = {"type": "x", "title": "Down", "status": 400, "code": 21211}
    with (
        serving(lambda _: answer("503 Service Unavailable", json.dumps(problem).encode())) as server,
        channel_to(f"http://127.0.0.1:{server.port}") as channel,
    ):
        assert channel.send(Sms(TO, "Hi")).outcome is AttemptOutcome.UNANSWERED


def test_a_base_url_with_a_path() -> None:
    with serving(created) as server, channel_to(f"http://127.0.0.1:{server.port}/twilio/") as channel:
        assert channel.send(Sms(TO, "Hi")).provider_id == SID
        account = "AC" + "1" * 32
        assert server.requests[0].startswith(
            f"POST /twilio/2010-04-01/Accounts/{account}/Messages.json HTTP/1.1\r\n".encode()
        )


def test_a_connection_is_kept_for_the_next_message() -> None:
    with serving(created) as server, channel_to(f"http://127.0.0.1:{server.port}") as channel:
        for _ in range(20):
            assert channel.send(Sms(TO, "Hi")).provider_id == SID
        assert (server.connections, len(server.requests)) == (1, 20)


def test_a_connection_that_was_idle_for_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "IDLE_SECONDS", 0.0)
    with serving(created) as server, channel_to(f"http://127.0.0.1:{server.port}") as channel:
        for _ in range(3):
            assert channel.send(Sms(TO, "Hi")).provider_id == SID
        assert (server.connections, len(server.requests)) == (3, 3)


def test_a_connection_that_the_server_closes_is_replaced() -> None:
    def closing(_request: bytes) -> bytes:
        return answer("201 Created", json.dumps({"sid": SID}).encode(), "Connection: close")

    with serving(closing) as server, channel_to(f"http://127.0.0.1:{server.port}") as channel:
        for _ in range(3):
            assert channel.send(Sms(TO, "Hi")).provider_id == SID
        assert server.connections == 3


def test_https_with_a_certificate_that_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    with serving(created, CERTIFICATE) as server, channel_to(f"https://127.0.0.1:{server.port}") as channel:
        for _ in range(3):
            assert channel.send(Sms(TO, "Hi")).provider_id == SID
        assert server.connections == 1


def test_https_with_a_certificate_that_is_not_trusted_sends_nothing() -> None:
    with serving(created, CERTIFICATE) as server, channel_to(f"https://127.0.0.1:{server.port}") as channel:
        told = channel.send(Sms(TO, "Hi"))
        assert server.requests == []
    assert told.outcome is AttemptOutcome.HELD
    assert "certificate" in told.detail.lower()


def test_https_to_a_server_that_speaks_no_tls_sends_nothing() -> None:
    with serving(created) as server, channel_to(f"https://127.0.0.1:{server.port}", IMPATIENT) as channel:
        assert channel.send(Sms(TO, "Hi")).outcome is AttemptOutcome.HELD


def test_https_to_a_server_that_never_shakes_hands_sends_nothing() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as mute,
        channel_to(f"https://127.0.0.1:{mute.getsockname()[1]}", IMPATIENT) as channel,
    ):
        assert channel.send(Sms(TO, "Hi")).outcome is AttemptOutcome.HELD


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(created) as proxy:
        monkeypatch.setenv("http_proxy", f"http://user:p%40ss@127.0.0.1:{proxy.port}")
        with channel_to("http://twilio.example.com") as channel:
            assert channel.send(Sms(TO, "Hi")).provider_id == SID
        (request,) = proxy.requests
        assert request.startswith(b"POST http://twilio.example.com/2010-04-01/")
        assert b"\r\nproxy-authorization: basic dxnlcjpwqhnz\r\n" in request.lower()
        assert b"\r\nHost: twilio.example.com\r\n" in request


@pytest.mark.parametrize("status", ["407 Proxy Authentication Required", "502 Bad Gateway"])
def test_a_proxy_that_makes_no_tunnel(monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    with serving(lambda _: answer(status, b"")) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        with channel_to("https://twilio.example.com") as channel:
            told = channel.send(Sms(TO, "Hi"))
        assert [request.split(b" ", 1)[0] for request in proxy.requests] == [b"CONNECT"]
    assert told.outcome is AttemptOutcome.HELD


def test_a_proxy_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
    with channel_to("https://twilio.example.com") as channel:
        assert channel.send(Sms(TO, "Hi")).outcome is AttemptOutcome.HELD


def test_this_machine_is_reached_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with serving(created) as server, channel_to(f"http://127.0.0.1:{server.port}") as channel:
        assert channel.send(Sms(TO, "Hi")).provider_id == SID


def test_a_proxy_that_can_not_be_used_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:9")
    with pytest.raises(InvalidInput, match="HTTPS_PROXY"), channel_to("https://twilio.example.com"):
        pass


BODY = json.dumps({"sid": SID, "status": "queued"}).encode()
CHUNKED = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        (answer("201 Created", BODY), True),
        (answer("201 Created", BODY, "Connection: keep-alive"), True),
        (answer("201 Created", BODY, "Connection: Close"), False),
        (answer("201 Created", BODY).replace(b"HTTP/1.1", b"HTTP/1.0"), False),
        (answer("201 Created", BODY, "Connection: keep-alive").replace(b"HTTP/1.1", b"HTTP/1.0"), True),
        (answer("201", BODY), True),
        (answer("201 Created", BODY).replace(b"\r\n", b"\n"), True),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + created(), True),
        (CHUNKED + b"5\r\n" + BODY[:5] + b"\r\n%x;x=y\r\n" % len(BODY[5:]) + BODY[5:] + b"\r\n0\r\n\r\n", True),
        (CHUNKED + b"%X\r\n" % len(BODY) + BODY + b"\r\n0\r\nX-Trailer: 1\r\n\r\n", True),
    ],
)
@pytest.mark.parametrize("piece", [1, 1_000])
def test_answers_in_every_form(raw: bytes, kept: bool, piece: int) -> None:
    """Whole or octet by octet."""
    with serving_pieces(raw, piece) as server, channel_to(f"http://127.0.0.1:{server.port}") as channel:
        for _ in range(3):
            assert channel.send(Sms(TO, "Hi")).provider_id == SID
        assert server.connections == (1 if kept else 3)


def test_a_connection_on_which_more_came_than_was_asked_for_is_not_used_again() -> None:
    with (
        serving(lambda _: created() + created()) as server,
        channel_to(f"http://127.0.0.1:{server.port}") as channel,
    ):
        for _ in range(3):
            assert channel.send(Sms(TO, "Hi")).provider_id == SID
        assert (server.connections, len(server.requests)) == (3, 3)


@pytest.mark.parametrize("said", [created(), b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", b"?"])
def test_what_comes_unasked_over_an_idle_connection_answers_nothing(said: bytes) -> None:
    with serving(created) as server, channel_to(f"http://127.0.0.1:{server.port}") as channel:
        assert channel.send(Sms(TO, "Hi")).provider_id == SID
        server.say(said)
        channel.read()
        assert channel.send(Sms(TO, "Hi")).provider_id == SID
        assert (server.connections, len(server.requests)) == (2, 2)


def test_an_answer_that_is_too_long_settles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "LONGEST_BODY", len(BODY) - 1)
    with serving(created) as server, channel_to(f"http://127.0.0.1:{server.port}") as channel:
        told = channel.send(Sms(TO, "Hi"))
        assert len(server.requests) == 1
    assert (told.outcome, told.provider_id) == (AttemptOutcome.UNANSWERED, None)


def test_an_answer_that_ends_with_its_connection() -> None:
    raw = iter([b"HTTP/1.1 201 Created\r\n\r\n" + BODY, None])

    def once(_request: bytes) -> bytes | None:
        return next(raw)

    with serving(once) as server, channel_to(f"http://127.0.0.1:{server.port}", IMPATIENT) as channel:
        assert channel.send(Sms(TO, "Hi")).outcome is AttemptOutcome.UNANSWERED, "whether it ended is not known"
    with (
        serving_once(b"HTTP/1.1 201 Created\r\n\r\n" + BODY) as server,
        channel_to(f"http://127.0.0.1:{server.port}") as channel,
    ):
        assert channel.send(Sms(TO, "Hi")).provider_id == SID


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 201 Created\r\nContent-Length: -1\r\n\r\n" + BODY,
        b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n" + BODY,
        b"HTTP/1.1 201 Created\r\nContent-Length : 5\r\n\r\n" + BODY,
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: gzip\r\n\r\n" + BODY,
        b"HTTP/1.1 201 Created\r\nno colon\r\n\r\n" + BODY,
        b"HTTP/2 201\r\nContent-Length: 2\r\n\r\n{}",
        CHUNKED + b"2\r\n{}xx0\r\n\r\n",
        CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n",
    ],
)
def test_an_answer_that_is_no_http_settles_nothing(raw: bytes) -> None:
    with serving(lambda _: raw) as server, channel_to(f"http://127.0.0.1:{server.port}", IMPATIENT) as channel:
        told = channel.send(Sms(TO, "Hi"))
        assert len(server.requests) == 1
    assert (told.outcome, told.provider_id) == (AttemptOutcome.UNANSWERED, None)


@pytest.mark.parametrize("certificate", [None, CERTIFICATE])
def test_a_tunnel_through_a_proxy(monkeypatch: pytest.MonkeyPatch, certificate: Path | None) -> None:
    """The name is the proxy's to look up; the handshake goes through it, and the credentials stop at it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    with serving(created, CERTIFICATE) as server, Tunnel(server.port, certificate) as proxy:
        scheme = "http" if certificate is None else "https"
        monkeypatch.setenv("https_proxy", f"{scheme}://user:p%40ss@127.0.0.1:{proxy.port}")
        monkeypatch.setattr(api, "LOCAL", ())
        with channel_to("https://localhost") as channel:
            for _ in range(3):
                assert channel.send(Sms(TO, "Hi")).provider_id == SID
        assert (server.connections, len(server.requests)) == (1, 3)
        (head,) = proxy.heads
        assert head.startswith(b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n")
        assert b"\r\nproxy-authorization: basic dxnlcjpwqhnz\r\n" in head.lower()
        assert head.lower().count(b"authorization") == 1, "Twilio's credentials are not told to the proxy"
        assert not any(b"proxy-authorization" in request.lower() for request in server.requests)


@contextmanager
def serving_pieces(raw: bytes, size: int) -> Iterator[Server]:
    """A server that sends its answer in pieces of this size."""
    with serving(lambda _: raw) as server:
        server.piece = size
        yield server


@contextmanager
def serving_once(raw: bytes) -> Iterator[Server]:
    """A server that hangs up after its answer."""
    with serving(lambda _: raw) as server:
        server.hangs_up = True
        yield server


class Tunnel:
    """A proxy that makes tunnels, all of them to one port of this machine."""

    def __init__(self, to: int, certificate: Path | None) -> None:
        self.heads: list[bytes] = []
        self._to = to
        self._tls = None
        if certificate is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def __enter__(self) -> "Tunnel":
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._listener.close()

    def _listen(self) -> None:
        with suppress(OSError):  # closed
            while True:
                connection, _ = self._listener.accept()
                if self._tls is not None:
                    connection = self._tls.wrap_socket(connection, server_side=True)
                self._serve(connection)

    def _serve(self, near: socket.socket) -> None:
        with near, socket.create_connection(("127.0.0.1", self._to)) as far:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += near.recv(1)
            self.heads.append(head)
            near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pipe, args=(far, near))
            back.start()
            _pipe(near, far)
            back.join(10)


def _pipe(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):  # one of them is closed
        while data := source.recv(65_536):
            sink.sendall(data)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
