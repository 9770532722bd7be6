"""Single calls over real sockets: which server is talked to, and for how long."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.rules.addresses import parse_openings
from workers.channels.webhook.call import NoAnswer, NotConnected, post
from workers.channels.webhook.place import NotFound, Place, Refused, find

CERTIFICATE = Path(__file__).parent / "data" / "localhost.pem"

#: Real seconds: far longer than anything here takes.
GENEROUS = 60.0


def trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(CERTIFICATE))


@contextmanager
def serving(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """One conversation after the other, on loopback; gives the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        over = threading.Event()

        def run() -> None:
            while not over.is_set():
                connection, _ = listener.accept()
                with connection:
                    if not over.is_set():
                        talk(connection)

        thread = threading.Thread(target=run)
        thread.start()
        port = listener.getsockname()[1]
        try:
            yield port
        finally:
            over.set()
            socket.create_connection(("127.0.0.1", port)).close()
            thread.join(GENEROUS)
            assert not thread.is_alive()


def answering(seen: list[bytes]) -> Callable[[socket.socket], None]:
    def talk(connection: socket.socket) -> None:
        data = b""
        while not data.endswith(b"\r\n\r\n{}"):
            part = connection.recv(4_096)
            if not part:
                return
            data += part
        seen.append(data)
        connection.sendall(b"HTTP/1.1 202 Fine\r\nContent-Length: 0\r\nRetry-After: 7\r\n\r\n")

    return talk


def encrypted(talk: Callable[[socket.socket], None]) -> Callable[[socket.socket], None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)

    def inner(connection: socket.socket) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) as wrapped:
                talk(wrapped)
        except (ssl.SSLError, ConnectionError):
            return  # who does not trust us leaves

    return inner


def place(port: int, host: str = "hooks.invalid", *, encrypt: bool = False) -> Place:
    return Place(host, port, encrypt, ("127.0.0.1",), "/hook?a=b")


def test_the_address_is_called_and_the_name_is_not_looked_up_again() -> None:
    """`.invalid` is no name that anybody can look up (RFC 6761)."""
    seen: list[bytes] = []
    with serving(answering(seen)) as port:
        answer = post(place(port), b"{}", {"X-Own": "1"}, trusting(), GENEROUS)
    assert (answer.status, answer.retry_after) == (202, "7")
    head = seen[0].decode()
    assert head.startswith("POST /hook?a=b HTTP/1.1\r\n")
    assert f"Host: hooks.invalid:{port}\r\n" in head
    assert head.count("Host:") == 1
    assert "X-Own: 1\r\n" in head


def test_the_certificate_is_checked_for_the_name_and_not_for_the_address() -> None:
    seen: list[bytes] = []
    with serving(encrypted(answering(seen))) as port:
        assert post(place(port, "localhost", encrypt=True), b"{}", {}, trusting(), GENEROUS).status == 202
        with pytest.raises(NotConnected, match="doesn't match"):
            post(place(port, "hooks.invalid", encrypt=True), b"{}", {}, trusting(), GENEROUS)
        with pytest.raises(NotConnected, match="certificate"):
            post(place(port, "localhost", encrypt=True), b"{}", {}, ssl.create_default_context(), GENEROUS)
    assert len(seen) == 1


@pytest.mark.parametrize("encrypt", [False, True])
def test_a_server_that_sends_a_byte_now_and_then_is_cut_off(encrypt: bool) -> None:
    cut = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.recv(4_096)
        try:
            for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000:
                connection.sendall(bytes([byte]))
                if cut.wait(0.05):
                    return
        except OSError:
            return

    with serving(encrypted(drip) if encrypt else drip) as port:
        with pytest.raises(NoAnswer, match="no answer within 1 seconds"):
            post(place(port, "localhost", encrypt=encrypt), b"{}", {}, trusting(), 1.0)
        cut.set()


def test_a_server_that_never_finishes_its_handshake_is_cut_off() -> None:
    done = threading.Event()

    def silent(connection: socket.socket) -> None:
        connection.recv(4_096)
        done.wait(GENEROUS)

    with serving(silent) as port:
        with pytest.raises(NotConnected):
            post(place(port, "localhost", encrypt=True), b"{}", {}, trusting(), 1.0)
        done.set()


def test_nobody_there_is_no_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NotConnected, match=r"^no connection: Connection refused$"):
        post(place(port), b"{}", {}, trusting(), GENEROUS)


def test_names_are_looked_up_and_every_address_must_be_public() -> None:
    with pytest.raises(Refused, match="localhost is an address of this machine itself"):
        find("https://localhost/", ())
    with pytest.raises(Refused, match="a private address"):
        find("https://[::ffff:10.0.0.1]/", ())
    with pytest.raises(NotFound):
        find("https://hooks.invalid/", ())
    found = find("http://localhost:81/a?b=c", parse_openings("localhost:81"))
    assert (found.host, found.port, found.encrypted, found.target) == ("localhost", 81, False, "/a?b=c")
    assert set(found.addresses) <= {"127.0.0.1", "::1"}
    assert found.authority == "localhost:81"


def test_only_what_is_opened_is_called_without_encryption() -> None:
    with pytest.raises(Refused, match="not encrypted"):
        find("http://8.8.8.8/", parse_openings("localhost:81"))
    assert find("https://8.8.8.8/", ()).addresses == ("8.8.8.8",)
