"""One HTTP call: of a given address, without redirects, and over when its time is up, whatever the server does."""

import socket
import ssl
from contextlib import suppress
from http.client import HTTPException
from threading import Timer
from time import monotonic
from types import TracebackType
from typing import NamedTuple, Self

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from workers.channels.webhook.place import Place

#: Real seconds for a connection to come about, handshake not included.
CONNECT_SECONDS = 3.0

#: What goes wrong with a connection.
BROKEN = (HTTPError, HTTPException, OSError, ValueError)


class NotConnected(Exception):  # noqa: N818 (a fact, as in engine.errors)
    """There was no connection, so nothing was sent."""


class NoAnswer(Exception):  # noqa: N818 (a fact, as in engine.errors)
    """It may have been received."""


class Answer(NamedTuple):
    """The head of what a server answered."""

    status: int
    retry_after: str | None
    date: str | None


class _TimeLimit:
    """Cuts what a call has opened when its time is up: a socket's own time-out begins anew with each byte."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._deadline = monotonic() + seconds
        self._handle: socket.socket | None = None
        self._timer = Timer(seconds, self._cut)
        self._timer.daemon = True

    @property
    def left(self) -> float:
        """Real seconds that are left."""
        return max(self._deadline - monotonic(), 0.001)

    @property
    def is_over(self) -> bool:
        """Whether the time is up."""
        return monotonic() >= self._deadline

    def watch(self, sock: socket.socket) -> None:
        """Cut this socket's connection in the end, also when it is wrapped for TLS meanwhile."""
        self._close()
        self._handle = sock.dup()
        if self.is_over:
            self._cut()

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self._timer.join()
        self._close()

    def _cut(self) -> None:
        if self._handle is not None:
            with suppress(OSError):
                self._handle.shutdown(socket.SHUT_RDWR)

    def _close(self) -> None:
        if self._handle is not None:
            self._handle.close()


class _Plain(HTTPConnection):
    """A connection that is under a limit of time."""

    limit: _TimeLimit

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        self.limit.watch(sock)
        sock.settimeout(self.limit.left)
        return sock


class _Encrypted(_Plain, HTTPSConnection):
    """The same over TLS."""


def post(place: Place, content: bytes, headers: dict[str, str], context: ssl.SSLContext, seconds: float) -> Answer:
    """Send a POST, and wait for the head of the answer, at most so many real seconds in all.

    Raises:
        NotConnected: it was definitely not sent.
        NoAnswer: nobody knows.
    """
    with _TimeLimit(seconds) as limit:
        connection = _connect(place, context, limit)
        try:
            connection.request(
                "POST", place.target, content, {"Host": place.authority, **headers}, preload_content=False
            )
            response = connection.getresponse()
            if limit.is_over:  # a head that was cut off reads like one that is short
                raise NoAnswer(f"no answer within {seconds:g} seconds")
            return Answer(response.status, response.headers.get("Retry-After"), response.headers.get("Date"))
        except BROKEN as error:
            raise NoAnswer(
                f"no answer within {seconds:g} seconds" if limit.is_over else f"no answer: {_in_words(error)}"
            ) from error
        finally:
            connection.close()


def _connect(place: Place, context: ssl.SSLContext, limit: _TimeLimit) -> HTTPConnection:
    """Connect to the first of the addresses that takes us."""
    failure: Exception | None = None
    for address in place.addresses:
        if limit.is_over:
            break
        connection = _connection(place, address, context, min(limit.left, CONNECT_SECONDS))
        connection.limit = limit
        try:
            connection.connect()
        except BROKEN as error:
            connection.close()
            failure = error
            continue
        return connection
    raise NotConnected(f"no connection: {'there was no time left' if failure is None else _in_words(failure)}")


def _in_words(error: Exception) -> str:
    """Return what went wrong as the system says it; urllib3 puts the name of a class of ours before it."""
    cause = error.__cause__ if isinstance(error, HTTPError) else None
    known = cause if isinstance(cause, OSError) else error
    return (known.strerror if isinstance(known, OSError) else None) or str(known)


def _connection(place: Place, address: str, context: ssl.SSLContext, seconds: float) -> _Plain:
    if not place.encrypted:
        return _Plain(address, place.port, timeout=seconds)
    return _Encrypted(
        address,
        place.port,
        timeout=seconds,
        server_hostname=place.host,
        assert_hostname=place.host,
        ssl_context=context,
    )
