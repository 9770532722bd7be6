"""The proxy of the fault tests does what it is told, to the byte."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from deploy.chaos.proxy import Proxy
from deploy.chaos.trap import Moment, Strike, Way

PATIENCE = 20.0


class Echo:
    """A server that gives every word back, twice, and remembers what it heard."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self.ended = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        if self._listening.fileno() >= 0:
            self._listening.shutdown(socket.SHUT_RDWR)
            self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection:
            try:
                while said := connection.recv(65536):
                    self.heard += said
                    connection.sendall(said * 2)
            except ConnectionResetError:
                pass
        self.ended.set()


@pytest.fixture
def echo() -> Iterator[Echo]:
    echo = Echo()
    yield echo
    echo.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    with Proxy("127.0.0.1", echo.port) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    with connected(proxy) as client:
        yield client


def connected(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), PATIENCE)


def read(client: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count and (more := client.recv(count - len(found))):
        found += more
    return found


def wait_for(state: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not state():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_it_passes_everything_both_ways(proxy: Proxy, client: socket.socket) -> None:
    much = bytes(range(256)) * 4_096
    threading.Thread(target=client.sendall, args=(much,)).start()
    assert sorted(read(client, 2 * len(much))) == sorted(much * 2)
    assert (proxy.counts["made"], proxy.connections) == (1, 1)


def test_the_end_of_one_side_is_the_end_of_the_other(echo: Echo, proxy: Proxy, client: socket.socket) -> None:
    client.sendall(b"x")
    assert read(client, 2) == b"xx"
    client.close()
    assert echo.ended.wait(PATIENCE)
    wait_for(lambda: proxy.connections == 0)


def test_cut_is_orderly_and_reset_is_not(proxy: Proxy) -> None:
    with connected(proxy) as client:
        client.sendall(b"x")
        read(client, 2)
        assert proxy.cut() == 1
        assert client.recv(1) == b""
    with connected(proxy) as client:
        client.sendall(b"x")
        read(client, 2)
        assert proxy.reset() == 1
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_what_is_refused_is_refused_until_it_is_accepted(proxy: Proxy, client: socket.socket) -> None:
    proxy.refuse()
    assert client.recv(1) == b""
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            connected(proxy)
    proxy.accept()
    with connected(proxy) as again:
        again.sendall(b"x")
        assert read(again, 2) == b"xx"


@pytest.mark.parametrize("way", Way)
def test_what_is_stalled_comes_when_it_is_released(echo: Echo, proxy: Proxy, client: socket.socket, way: Way) -> None:
    client.sendall(b"x")
    read(client, 2)
    proxy.stall(way)
    client.sendall(b"y")
    if way is Way.DOWN:
        wait_for(lambda: echo.heard == b"xy")
    client.settimeout(0.1)
    with pytest.raises(TimeoutError):
        client.recv(1)
    assert echo.heard == (b"x" if way is Way.UP else b"xy")
    client.settimeout(PATIENCE)
    proxy.release()
    assert read(client, 2) == b"yy"


@pytest.mark.parametrize(
    ("moment", "heard", "answered"),
    [(Moment.BEFORE, b"one", b"oneone"), (Moment.AFTER, b"onetwo", b"oneone"), (Moment.ANSWERED, b"onetwo", b"oneone")],
)
def test_a_trap_strikes_at_its_moment(
    echo: Echo, proxy: Proxy, client: socket.socket, moment: Moment, heard: bytes, answered: bytes
) -> None:
    trap = proxy.trap(b"one", b"two", strike=Strike.CUT, moment=moment)
    client.sendall(b"one")
    assert read(client, 6) == answered
    client.sendall(b"tw")
    if moment is Moment.BEFORE:
        heard += b"tw"  # nobody can know that this is the beginning of the word
        assert read(client, 4) == b"twtw"
    client.sendall(b"o")
    assert trap.wait(PATIENCE)
    while client.recv(100):
        pass
    assert echo.ended.wait(PATIENCE)
    assert echo.heard == heard
    assert proxy.counts["cut"] == 1


def test_a_trap_strikes_so_many_connections_and_no_more(proxy: Proxy) -> None:
    trap = proxy.trap(b"x", strike=Strike.RESET, moment=Moment.BEFORE, times=2)
    for _ in range(2):
        with connected(proxy) as client, pytest.raises(ConnectionResetError):
            client.sendall(b"x")
            client.recv(1)
    with connected(proxy) as client:
        client.sendall(b"x")
        assert read(client, 2) == b"xx"
    assert trap.struck == 2


def test_what_one_trap_has_stalled_is_released_alone(proxy: Proxy) -> None:
    first, second = (proxy.trap(word, strike=Strike.STALL) for word in (b"x", b"y"))
    with connected(proxy) as one, connected(proxy) as other:
        one.sendall(b"x")
        other.sendall(b"y")
        assert first.wait(PATIENCE) and second.wait(PATIENCE)
        proxy.release(first)
        assert read(one, 2) == b"xx"
        other.settimeout(0.1)
        with pytest.raises(TimeoutError):
            other.recv(1)
        other.settimeout(PATIENCE)
        proxy.release()
        assert read(other, 2) == b"yy"


def test_something_is_done_at_the_very_moment_of_the_last_strike(echo: Echo, proxy: Proxy) -> None:
    heard: list[bytes] = []
    trap = proxy.trap(
        b"x", strike=Strike.RESET, moment=Moment.BEFORE, times=2, then=lambda: heard.append(bytes(echo.heard))
    )
    for number in range(2):
        assert len(heard) == 0, number
        with connected(proxy) as client, pytest.raises(ConnectionResetError):
            client.sendall(b"wx")
            client.recv(1)
    assert trap.wait(PATIENCE)
    assert heard == [b""]


def test_a_trap_counts_bytes(echo: Echo, proxy: Proxy, client: socket.socket) -> None:
    proxy.trap(strike=Strike.CUT, after_bytes=5)
    client.sendall(b"1234567")
    assert echo.ended.wait(PATIENCE)
    assert echo.heard == b"12345"


def test_an_answer_that_is_stalled_is_lost_with_its_client(echo: Echo, proxy: Proxy, client: socket.socket) -> None:
    trap = proxy.trap(b"x", strike=Strike.STALL)
    client.sendall(b"x")
    assert trap.wait(PATIENCE)
    assert echo.heard == b"x"
    client.close()
    assert echo.ended.wait(PATIENCE)
    wait_for(lambda: proxy.connections == 0)


def test_a_server_that_is_gone_is_a_connection_that_is_gone(echo: Echo, proxy: Proxy) -> None:
    echo.close()
    with pytest.raises(ConnectionResetError), connected(proxy) as client:
        client.recv(1)


def test_everything_ends_with_it(echo: Echo) -> None:
    with Proxy("127.0.0.1", echo.port) as proxy:
        client = connected(proxy)
        client.sendall(b"x")
        read(client, 2)
        proxy.stall()
    with client, pytest.raises(ConnectionResetError):
        client.recv(1)
    assert echo.ended.wait(PATIENCE)


def test_nobody_is_left_hanging_who_comes_as_it_ends(echo: Echo) -> None:
    for _ in range(20):
        with Proxy("127.0.0.1", echo.port) as proxy:
            clients = [connected(proxy) for _ in range(5)]
        for client in clients:
            with client, suppress(ConnectionResetError):
                assert client.recv(1) == b""
