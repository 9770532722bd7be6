"""The HTTP connections to Twilio: one pool for the process, which tells "no connection" from "no answer"."""

import queue
import time
from http.client import HTTPException
from typing import Any, Final
from urllib.parse import unquote

from requests.utils import get_environ_proxies, select_proxy
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool, PoolManager, ProxyManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, LocationParseError, ProxySchemeUnknown
from urllib3.util import Retry, Url, make_headers, parse_url

from engine.errors import InvalidInput
from workers.channels.tls import client_context

#: Real seconds after which an idle connection is not used again. A server that closes it just as a request is on its
#: way leaves that request unanswered, which takes an hour to resolve; a new connection takes a few milliseconds.
#: Load balancers close after 60 seconds or more; 20 stay clear of that.
IDLE_SECONDS: Final = 20.0

#: Real seconds for a connection to come about, handshake not included.
CONNECT_SECONDS: Final = 3.0

_NO_RETRIES: Final = Retry(False, redirect=False)


class NotConnected(HTTPError):  # noqa: N818 (a fact, as in engine.errors)
    """There was no connection, so nothing of the request was sent. Only what fails in `connect` is this.

    urllib3's pool lets its bare HTTPError through as it is; it would make a ProtocolError of an OSError.
    """


class _Plain(HTTPConnection):
    """A connection that tells when it never came about, and writes a request at once, not its head and its body."""

    _held: list[bytes] | None = None

    def connect(self) -> None:
        try:
            super().connect()
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            raise NotConnected(str(error)) from error

    def request(self, *args: Any, **options: Any) -> None:
        held: list[bytes] = []
        self._held = held
        try:
            super().request(*args, **options)
        finally:
            self._held = None
        self.send(b"".join(held))

    def send(self, data: Any) -> None:
        if self._held is None:
            super().send(data)
        else:
            self._held.append(data)


class _Encrypted(_Plain, HTTPSConnection):
    """The same over TLS."""


class _Idle(queue.LifoQueue[Any]):
    """Idle connections, the last used on top; one that was idle too long is closed, and opens anew when it is used."""

    def _put(self, item: Any) -> None:
        self.queue.append((item, time.monotonic()))

    def _get(self) -> Any:
        connection, since = self.queue.pop()
        if connection is not None and time.monotonic() - since > IDLE_SECONDS:
            connection.close()
        return connection


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain
    QueueCls = _Idle


class _EncryptedPool(HTTPSConnectionPool):
    ConnectionCls = _Encrypted
    QueueCls = _Idle


class Connections:
    """Connections to one API, straight or through the proxy that the environment names. For many threads at once."""

    def __init__(self, base_url: str, timeout: float, in_flight: int) -> None:
        """Prepare the pool; nothing is connected yet. `timeout` for the answer in real seconds.

        Raises:
            InvalidInput: the URL or the proxy's can't be used.
        """
        base = _parsed(base_url, "CADENZA_TWILIO_API_URL")
        proxy = _proxy(base)
        options: dict[str, Any] = {
            "timeout": Timeout(connect=min(CONNECT_SECONDS, timeout), read=timeout),
            "maxsize": in_flight,
            "ssl_context": client_context() if base.scheme == "https" else None,
        }
        self._manager = PoolManager(**options) if proxy is None else _through(proxy, options)
        self._manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _EncryptedPool}
        self._pool = self._manager.connection_from_url(base_url)
        # What is cut off of a URL for the request line: all but the path, unless a proxy is to read it.
        self._origin = "" if proxy is not None and base.scheme == "http" else f"{base.scheme}://{base.netloc}"

    def request(self, method: str, url: str, body: str | None, headers: dict[str, str]) -> BaseHTTPResponse:
        """Send a request, wait for the answer and read all of it. Nothing is tried twice, no redirect is followed.

        Raises:
            NotConnected: there was no connection: it was definitely not sent.
            HTTPError: it may have been sent, and was not answered.
        """
        target = url.removeprefix(self._origin)
        return self._pool.urlopen(
            method, target, body, headers, retries=_NO_RETRIES, redirect=False, assert_same_host=False
        )

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()


def _parsed(url: str, name: str) -> Url:
    try:
        parsed = parse_url(url)
    except LocationParseError:
        raise InvalidInput(f"{name} can't be read: write https://host, with a port if need be") from None
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.query or parsed.fragment or parsed.auth:
        raise InvalidInput(f"{name} must be http:// or https:// and a host, with a port or path if need be")
    return parsed


def _proxy(base: Url) -> str | None:
    """The proxy that requests, and so twilio-python, would use; never for this machine itself."""
    if base.host in ("localhost", "127.0.0.1", "[::1]"):
        return None
    return select_proxy(base.url, get_environ_proxies(base.url))


def _through(proxy: str, options: dict[str, Any]) -> ProxyManager:
    try:
        auth = parse_url(proxy).auth
        headers = make_headers(proxy_basic_auth=unquote(auth)) if auth else None
        return ProxyManager(proxy, proxy_headers=headers, **options)
    except (LocationParseError, ProxySchemeUnknown):
        raise InvalidInput(
            "the proxy in HTTPS_PROXY, HTTP_PROXY or ALL_PROXY can't be used: write http://host:port"
        ) from None
