"""A connection that is read line by line, in the clear or over TLS, and knows what has left this process."""

import asyncio
import select
import ssl
from collections import deque
from typing import Any, Final, cast

#: The longest line that is read, as smtplib has it. RFC 5321 section 4.5.3.1.5 has 512 octets.
LONGEST_LINE: Final = 8192

#: The other side has closed. Linux tells by POLLRDHUP; elsewhere POLLHUP does.
_HUNG_UP: Final = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)

#: Octets that are decrypted at once.
_PIECE: Final = 65_536


class Broken(OSError):  # noqa: N818 (a fact, as in engine.errors)
    """The connection ended, or what came over it is no SMTP."""


class Link(asyncio.Protocol):
    """One connection for one task. TLS is done here, since only so it is known what is still in a buffer."""

    def __init__(self) -> None:
        """Wait to be connected."""
        self._transport: asyncio.Transport | None = None
        self._lines: deque[bytes] = deque()
        self._rest = b""
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False
        self._error: Exception | None = None
        self._full = False
        self._looking = False
        self._tls: ssl.SSLObject | None = None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._shaken = False

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep nothing in a buffer without knowing it."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(0)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        if self._tls is None:
            self._feed(data)
        else:
            self._incoming.write(data)
            if self._shaken:
                self._decrypt()
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
        return str(self._open_transport().get_extra_info("sockname")[0])

    async def line(self) -> bytes:
        """Return the next line, or what came of it before the connection ended.

        Raises:
            Broken: the connection has ended, or the line is too long.
        """
        while not self._lines:
            if len(self._rest) > LONGEST_LINE:
                raise Broken("a line is too long")
            if self._ended:
                if self._rest:
                    self._lines.append(self._rest)
                    self._rest = b""
                    break
                raise self._over()
            await self._wait()
        line = self._lines.popleft()
        if len(line) > LONGEST_LINE:
            raise Broken("a line is too long")
        return line

    def write(self, data: bytes) -> None:
        """Write; what the system does not take at once waits in a buffer.

        Raises:
            Broken: the connection has ended.
        """
        transport = self._open_transport()
        if self._ended and transport.is_closing():
            raise self._over()
        if self._tls is None:
            transport.write(data)
            return
        view = memoryview(data)
        while view:
            view = view[self._tls.write(view) :]
        transport.write(self._outgoing.read())

    async def flush(self) -> None:
        """Wait until the system has taken everything.

        Raises:
            Broken: the connection ended before.
        """
        while self._full:
            await self._wait()
        if self._ended and self._open_transport().is_closing():
            raise self._over()

    async def hung_up(self, seconds: float) -> bool:
        """Whether the other side closes within this time, or has closed as far as this machine knows."""
        if seconds and not self._ended:
            self._looking = True
            timer = asyncio.get_running_loop().call_later(seconds, self._look_no_more)
            while self._looking and not self._ended:
                await self._wait()
            timer.cancel()
        return self._ended or self._poll()

    async def encrypt(self, context: ssl.SSLContext, host: str) -> None:
        """Shake hands.

        Raises:
            OSError: it came to nothing.
        """
        if self._lines or self._rest:
            raise Broken("the server talks before the encryption begins")
        self._tls = tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._send_records()
            except ssl.SSLError:
                self._send_records()
                raise
            if self._ended:
                raise self._over()
            await self._wait()
        self._shaken = True
        self._send_records()
        self._decrypt()

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

    def _open_transport(self) -> asyncio.Transport:
        if self._transport is None:
            raise Broken("not connected")
        return self._transport

    def _over(self) -> Broken:
        return Broken(f"the connection ended: {self._error}" if self._error else "the connection ended")

    def _feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._lines.extend(lines)

    def _decrypt(self) -> None:
        if self._tls is None:
            return
        try:
            while data := self._tls.read(_PIECE):
                self._feed(data)
            self._ended = True
        except ssl.SSLWantReadError:
            self._send_records()
        except ssl.SSLError as error:
            self._ended, self._error = True, error

    def _send_records(self) -> None:
        if self._outgoing.pending:
            self._open_transport().write(self._outgoing.read())

    def _poll(self) -> bool:
        sock: Any = self._open_transport().get_extra_info("socket")
        if sock is None or sock.fileno() < 0:
            return True
        poll = select.poll()
        poll.register(sock.fileno(), _HUNG_UP)
        return bool(poll.poll(0))

    async def _wait(self) -> None:
        """Wait until something has happened."""
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _look_no_more(self) -> None:
        self._looking = False
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
