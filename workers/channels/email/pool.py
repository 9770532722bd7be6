"""The SMTP connections of a process: opened as messages need them, kept for the next message."""

import asyncio
import socket
import ssl
import time
from collections import deque
from typing import Final

from workers.channels.email.connection import Connection
from workers.channels.email.server import SmtpServer
from workers.channels.tls import client_context

#: After that many messages a connection is closed: servers limit them, some at 100.
MESSAGES: Final = 50

#: Real seconds that a connection may be idle. RFC 5321 section 4.5.3.2.7 lets a server close one after 5 minutes;
#: many do after one.
IDLE_SECONDS: Final = 60.0


class ConnectionPool:
    """Idle connections, the one that was used last on top, so that those not needed grow old and are closed.

    Used in one event loop.
    """

    def __init__(self, server: SmtpServer, timeout: float) -> None:
        """Prepare the pool; connections are opened at the first message. `timeout` is in real seconds."""
        self._server = server
        self._timeout = timeout
        # Reading the authorities takes a tenth of a second; without encryption a context that trusts nobody will do.
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if server.security == "none" else client_context()
        self._own_name: str | None = None
        self._idle: deque[Connection] = deque()
        self._closed = False

    async def take(self, *, fresh: bool) -> Connection:
        """Return a connection that is ready for a message: an idle one, or a new one.

        Raises:
            OSError: there is none to be had.
            ValueError: the server says what can't be understood.
        """
        connection = None if fresh else self._newest()
        return connection or await self._open()

    def give_back(self, connection: Connection) -> None:
        """Keep a connection for the next message, unless it has served enough."""
        if not connection.is_open:
            connection.abort()
            return
        if connection.used >= MESSAGES or self._closed:
            connection.leave()
            return
        now = time.monotonic()
        connection.idle_since = now
        self._idle.append(connection)
        while self._idle and self._idle[0].idle_since <= now - IDLE_SECONDS:
            self._idle.popleft().leave()

    def close(self) -> None:
        """Close the idle connections now, and those in use when they come back."""
        self._closed = True
        while self._idle:
            self._idle.pop().leave()

    def _newest(self) -> Connection | None:
        if not self._idle:
            return None
        connection = self._idle.pop()
        if connection.is_open and time.monotonic() - connection.idle_since < IDLE_SECONDS:
            return connection
        connection.leave()
        return None

    async def _open(self) -> Connection:
        if self._own_name is None:
            # Once: it asks the name servers, which may take seconds. Without a domain it means nothing to others.
            name = await asyncio.get_running_loop().run_in_executor(None, socket.getfqdn)
            self._own_name = name if "." in name else ""
        return await Connection.open(self._server, self._context, self._own_name, self._timeout)
