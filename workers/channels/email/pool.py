"""The SMTP connections of a process: opened as threads need them, kept for the next message."""

import socket
import ssl
import time
from collections import deque
from contextlib import suppress
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

    There is no lock: a deque's ends are safe for many threads, and waiting for a lock costs more than all the rest.
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

    def take(self, deadline: float, *, fresh: bool) -> Connection:
        """A connection that is ready for a message: an idle one, or a new one.

        Raises:
            OSError: there is none to be had.
            ValueError: the server says what can't be understood.
        """
        connection = None if fresh else self._newest()
        return connection or self._open(deadline)

    def give_back(self, connection: Connection) -> None:
        """Keep a connection for the next message, unless it has served enough."""
        if connection.sock is None:
            return
        if connection.used >= MESSAGES:
            connection.leave()
            return
        connection.idle_since = time.monotonic()
        self._idle.append(connection)
        self._leave_old()
        if self._closed:
            self.close()

    def close(self) -> None:
        """Close the idle connections now, and those in use when they come back."""
        self._closed = True
        while self._idle:
            with suppress(IndexError):  # another thread took it
                self._idle.pop().leave()

    def _newest(self) -> Connection | None:
        try:
            connection = self._idle.pop()
        except IndexError:
            return None
        if time.monotonic() - connection.idle_since < IDLE_SECONDS:
            return connection
        connection.leave()
        return None

    def _leave_old(self) -> None:
        with suppress(IndexError):  # another thread took it
            while self._idle[0].idle_since < time.monotonic() - IDLE_SECONDS:
                self._idle.popleft().leave()

    def _open(self, deadline: float) -> Connection:
        if self._own_name is None:
            # Once: it asks the name servers, which may take seconds. Without a domain it means nothing to others.
            name = socket.getfqdn()
            self._own_name = name if "." in name else ""
        connection = Connection(self._server, self._timeout, deadline, self._context)
        try:
            connection.log_in(self._own_name)
        except (OSError, ValueError):
            connection.close()
            raise
        return connection
