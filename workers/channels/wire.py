"""A connection of the event loop, in the clear or over TLS, that knows what has left this process.

TLS is done here and not by the event loop, since only so it is known what is still in a buffer.
"""

import asyncio
import select
import socket
import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

from workers.channels.tls_layer import TlsLayer

#: The other side has closed. Linux tells by POLLRDHUP; elsewhere POLLHUP does.
_HUNG_UP: Final = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)


class Broken(OSError):  # noqa: N818 (a fact, as in engine.errors)
    """The connection ended, or what came over it is not of its protocol."""


class Wire(asyncio.Protocol, ABC):
    """One connection, used by one task at a time. What comes goes to `take`."""

    def __init__(self) -> None:
        """Wait to be connected."""
        self._transport: asyncio.Transport | None = None
        self._tls: TlsLayer | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False
        self._error: Exception | None = None
        self._full = False
        self._looking = False

    @abstractmethod
    def take(self, data: bytes) -> None:
        """Keep what came, until somebody reads it."""

    @property
    @abstractmethod
    def has_unread(self) -> bool:
        """Whether something came that nobody has read."""

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep nothing in a buffer without knowing it."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(0)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        if self._tls is not None:
            data = self._decrypt(self._tls, data)
        if data:
            self.take(data)
        self._wake()

    def eof_received(self) -> None:
        """Note that nothing more comes."""
        self._ended = True
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        """Note that it is over."""
        self._ended = True
        self._error = self._error or error
        self._full = False
        self._wake()

    def pause_writing(self) -> None:
        """Note that something waits to be written."""
        self._full = True

    def resume_writing(self) -> None:
        """Note that all is written."""
        self._full = False
        self._wake()

    # What the task calls.

    @property
    def is_open(self) -> bool:
        """Whether something may still come, and go."""
        return not self._ended

    @property
    def own_address(self) -> str:
        """The address of this machine on this connection."""
        return str(self._connected().get_extra_info("sockname")[0])

    def write(self, data: bytes) -> None:
        """Write; what the system does not take at once waits in a buffer.

        Raises:
            Broken: the connection has ended.
        """
        transport = self._connected()
        if transport.is_closing():
            raise self.over()
        transport.write(data if self._tls is None else self._tls.encrypt(data))

    async def flush(self) -> None:
        """Wait until the system has taken everything.

        Raises:
            Broken: the connection ended before.
        """
        while self._full:
            await self.wait()
        if self._connected().is_closing():
            raise self.over()

    async def hung_up(self, seconds: float) -> bool:
        """Whether the other side closes within this time, or has closed as far as this machine knows."""
        if seconds and not self._ended:
            self._looking = True
            timer = asyncio.get_running_loop().call_later(seconds, self._look_no_more)
            while self._looking and not self._ended:
                await self.wait()
            timer.cancel()
        return self._ended or self._poll()

    async def encrypt(self, context: ssl.SSLContext, host: str) -> None:
        """Shake hands.

        Raises:
            OSError: it came to nothing.
        """
        if self.has_unread:
            raise Broken("the server talks before the encryption begins")
        self._tls = tls = TlsLayer(context, host)
        while not tls.is_shaken:
            try:
                tls.shake()
            finally:
                if records := tls.records():
                    self._connected().write(records)
            if not tls.is_shaken:
                if self._ended:
                    raise self.over()
                await self.wait()
        self.data_received(b"")  # more may have come with the handshake

    def close(self) -> None:
        """Close as soon as all is written."""
        if self._transport is not None:
            self._transport.close()
        self._ended = True

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()
        self._ended = True

    async def wait(self) -> None:
        """Wait until something has happened."""
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def over(self) -> Broken:
        """What to raise when the connection has ended."""
        return Broken(f"the connection ended: {self._error}" if self._error else "the connection ended")

    def _connected(self) -> asyncio.Transport:
        if self._transport is None:
            raise Broken("not connected")
        return self._transport

    def _decrypt(self, tls: TlsLayer, records: bytes) -> bytes:
        if not tls.is_shaken:
            tls.incoming.write(records)
            return b""
        try:
            data = tls.decrypt(records)
        except ssl.SSLError as error:
            self._ended, self._error = True, error
            return b""
        self._ended = self._ended or tls.is_over
        return data

    def _poll(self) -> bool:
        sock: Any = self._connected().get_extra_info("socket")
        if sock is None or sock.fileno() < 0:
            return True
        poll = select.poll()
        poll.register(sock.fileno(), _HUNG_UP)
        return bool(poll.poll(0))

    def _look_no_more(self) -> None:
        self._looking = False
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


AnyWire = TypeVar("AnyWire", bound=Wire)


async def connect(kind: Callable[[], AnyWire], host: str, port: int, seconds: float) -> AnyWire:
    """Connect to the first address of a host that takes us, each within this time.

    Raises:
        OSError: there is none.
    """
    loop = asyncio.get_running_loop()
    failure: OSError = OSError(f"{host} has no address")
    for *_, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        try:
            async with asyncio.timeout(seconds):
                _, wire = await loop.create_connection(kind, str(address[0]), port)
        except TimeoutError:
            failure = OSError("it takes too long")
        except OSError as error:
            failure = error
        else:
            return wire
    raise failure
