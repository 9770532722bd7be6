"""A TCP proxy on loopback that can be told to cut, to stall, to reset and to refuse: at once, or at a given point."""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable, Coroutine
from threading import Event, Thread
from typing import Final, Self, TypeVar
from urllib.parse import urlsplit

from deploy.chaos.link import NO_LINGER, End, Link
from deploy.chaos.trap import Moment, Strike, Trap, Way

Result = TypeVar("Result")

LOOPBACK: Final = "127.0.0.1"

BACKLOG: Final = 128

#: Real seconds for the loop to do what it is told.
OBEY_SECONDS: Final = 10.0


class Proxy:
    """Runs in a thread of its own; every method may be called from any other. Ends with its `with` block."""

    def __init__(self, host: str = LOOPBACK, port: int = 0) -> None:
        """Listen on a free port, for a server at that address; for none yet when the port is 0."""
        self.counts: Counter[str] = Counter()
        """Connections that were made, cut, reset and stalled."""
        self._target = (host, port)
        self._links: set[Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._traps: list[Trap] = []
        self._stalled: tuple[Way, ...] = ()
        self._loop = asyncio.new_event_loop()
        self._socket = _bound(0)
        self.port: int = self._socket.getsockname()[1]
        self._started = Event()
        self._thread = Thread(target=self._run, name=f"proxy {self.port}", daemon=True)

    @classmethod
    def before(cls, url: str) -> Self:
        """A proxy before the server that a URL names."""
        return cls(*_address(url))

    def lead_to(self, url: str) -> None:
        """Let new connections lead to the server that a URL names."""
        self._target = _address(url)

    def url(self, url: str) -> str:
        """The same URL, leading through the proxy."""
        parts = urlsplit(url)
        credentials, at, _ = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{credentials}{at}{LOOPBACK}:{self.port}").geturl()

    @property
    def connections(self) -> int:
        """How many are open now."""
        return len(self._links)

    def cut(self) -> int:
        """Close all connections (FIN); tell how many. New ones are taken."""
        return self._strike_all(Strike.CUT)

    def reset(self) -> int:
        """Reset all connections (RST); tell how many. New ones are taken."""
        return self._strike_all(Strike.RESET)

    def stall(self, *ways: Way) -> None:
        """Pass nothing on, in either direction unless told which, on all connections and on new ones."""

        async def stall() -> None:
            self._stalled = ways or tuple(Way)
            for link in self._links:
                link.stall(*self._stalled)

        self._obey(stall)

    def release(self, trap: Trap | None = None) -> None:
        """Pass on what was stalled, and all that follows; of the connections that one trap has struck, or of all."""

        async def release() -> None:
            if trap is None:
                self._stalled = ()
            for link in self._links:
                if trap is None or link.struck_by is trap:
                    link.release()

        self._obey(release)

    def refuse(self) -> None:
        """Refuse new connections, and cut those that are open: the server is not there."""

        async def refuse() -> None:
            silent = _bound(self.port)  # before, so that nobody else is given the port
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = silent
            self._strike(Strike.CUT)

        self._obey(refuse)

    def accept(self) -> None:
        """Take connections again."""

        async def accept() -> None:
            self._listen()

        self._obey(accept)

    def trap(
        self,
        *words: bytes,
        strike: Strike,
        moment: Moment = Moment.ANSWERED,
        way: Way = Way.UP,
        after_bytes: int | None = None,
        times: int = 1,
        then: Callable[[], None] | None = None,
    ) -> Trap:
        """Set a trap: the next connections on which these words are said, in this order, are struck."""
        trap = Trap(words, strike, moment, way, after_bytes, times, then)
        self._traps.append(trap)
        return trap

    def disarm(self) -> None:
        """Take all traps away; what they have stalled stays so."""
        self._traps.clear()

    def close(self) -> None:
        """Close everything."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(OBEY_SECONDS)

    def __enter__(self) -> Self:
        """Start."""
        self._thread.start()
        self._started.wait(OBEY_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        """Close everything."""
        self.close()

    def _run(self) -> None:
        try:
            self._listen()
            self._started.set()
            self._loop.run_forever()
        finally:
            self._loop.remove_reader(self._socket)
            self._socket.close()
            for link in list(self._links):
                link.close(reset=True)
            for task in self._tasks:
                task.cancel()
            self._loop.run_until_complete(_turns())
            self._loop.close()

    def _listen(self) -> None:
        self._socket.listen(BACKLOG)
        self._loop.add_reader(self._socket, self._take)

    def _take(self) -> None:
        try:
            taken, _ = self._socket.accept()
        except OSError:
            return  # it has gone again
        taken.setblocking(False)
        self.counts["made"] += 1
        link = Link(self._traps, self._count, self._links.discard)
        self._links.add(link)
        if self._stalled:
            link.stall(*self._stalled)
        task = self._loop.create_task(self._join(link, taken))
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._joined(done, link, taken))

    async def _join(self, link: Link, taken: socket.socket) -> None:
        """Reach the server first, so that whatever the client says can be passed on at once."""
        try:
            await self._loop.create_connection(lambda: End(link, Way.DOWN), *self._target)
        except OSError:
            return
        await self._loop.connect_accepted_socket(lambda: End(link, Way.UP), taken)

    def _joined(self, task: "asyncio.Task[None]", link: Link, taken: socket.socket) -> None:
        """Let go of a client that could not be joined: nobody is behind us, or we end."""
        self._tasks.discard(task)
        if Way.UP not in link.ends:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
            taken.close()
            link.close()

    def _strike_all(self, strike: Strike) -> int:
        async def order() -> int:
            return self._strike(strike)

        return self._obey(order)

    def _strike(self, strike: Strike) -> int:
        links = list(self._links)
        for link in links:
            self._count(strike)
            link.close(reset=strike is Strike.RESET)
        return len(links)

    def _count(self, strike: Strike) -> None:
        self.counts[strike.value] += 1

    def _obey(self, order: Callable[[], Coroutine[None, None, Result]]) -> Result:
        return asyncio.run_coroutine_threadsafe(order(), self._loop).result(OBEY_SECONDS)


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or LOOPBACK, parts.port or 0


def _bound(port: int) -> socket.socket:
    """A socket that has its port and does not listen yet: connecting to it is refused."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(port != 0))
    bound.setblocking(False)
    bound.bind((LOOPBACK, port))
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # for the one that takes its place
    return bound


async def _turns() -> None:
    """Let the loop close what was closed."""
    for _ in range(3):
        await asyncio.sleep(0)
