"""Posts requests to Twilio over connections that are kept, and tells "no connection" from "no answer"."""

import asyncio
import ssl
import time
from collections import deque
from typing import Final
from urllib.parse import urlsplit

from workers.channels.sms.api import Api
from workers.channels.sms.asking import CONNECT_SECONDS
from workers.channels.sms.http import Answer, HttpWire
from workers.channels.tls import client_context
from workers.channels.wire import Broken, connect

#: Real seconds after which an idle connection is not used again. A server that closes it just as a request is on its
#: way leaves that request unanswered, which takes an hour to resolve; a new connection takes a few milliseconds.
#: Load balancers close after 60 seconds or more; 20 stay clear of that.
IDLE_SECONDS: Final = 20.0

_PORTS: Final = {"http": 80, "https": 443}


class NotConnected(Exception):  # noqa: N818 (a fact, as in engine.errors)
    """There was no connection, so nothing of the request was sent. Only what fails before the first byte is this."""


class Posting:
    """Posts to one URL, straight or through a proxy. Used in one event loop."""

    def __init__(self, api: Api, url: str, headers: dict[str, str], timeout: float) -> None:
        """Prepare; nothing is connected yet. `timeout` is in real seconds."""
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or _PORTS[parts.scheme]
        self._encrypted = parts.scheme == "https"
        self._api = api
        self._timeout = min(CONNECT_SECONDS, timeout)
        self._context: ssl.SSLContext | None = (
            client_context() if self._encrypted or (api.proxy or "").startswith("https:") else None
        )
        target = url if api.proxy is not None and not self._encrypted else parts.path
        # Over TLS the proxy is told at the CONNECT, and sees no more.
        told = headers if self._encrypted else headers | api.proxy_headers
        lines = [f"POST {target} HTTP/1.1", f"Host: {parts.netloc}", *(f"{name}: {told[name]}" for name in told)]
        self._head = ("\r\n".join(lines) + "\r\nContent-Length: ").encode("ascii")
        self._idle: deque[HttpWire] = deque()
        self._closed = False

    async def post(self, body: bytes) -> Answer:
        """Send a request, wait for the answer and read all of it. Nothing is tried twice, no redirect is followed.

        Raises:
            NotConnected: there was no connection: it was definitely not sent.
            OSError: it may have been sent, and was not answered.
        """
        wire = self._newest() or await self._open()
        try:
            answer = await wire.ask(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
        except BaseException:
            wire.abort()
            raise
        if wire.may_be_kept and not self._closed:
            wire.idle_since = time.monotonic()
            self._idle.append(wire)
            if self._idle[0].idle_since < wire.idle_since - IDLE_SECONDS:
                self._idle.popleft().close()
        else:
            wire.close()
        return answer

    def close(self) -> None:
        """Close the idle connections now, and those in use when their answers have come."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _newest(self) -> HttpWire | None:
        """Take the connection that was used last, so that those not needed grow old."""
        if self._closed:
            raise NotConnected("the channel is closed")
        while self._idle:
            wire = self._idle.pop()
            if wire.is_open and not wire.has_unread and time.monotonic() - wire.idle_since < IDLE_SECONDS:
                return wire
            wire.close()
        return None

    async def _open(self) -> HttpWire:
        try:
            if self._api.proxy is None:
                wire = await connect(HttpWire, self._host, self._port, self._timeout)
            else:
                wire = await self._connect_to_proxy(self._api.proxy)
            try:
                if self._encrypted:
                    if self._api.proxy is not None:
                        await self._ask_for_tunnel(wire)
                    await self._encrypt(wire, self._host)
            except BaseException:
                wire.abort()
                raise
        except (OSError, ValueError) as error:
            raise NotConnected(str(error)) from error
        except asyncio.CancelledError as error:
            raise NotConnected("it takes too long") from error
        return wire

    async def _connect_to_proxy(self, proxy: str) -> HttpWire:
        parts = urlsplit(proxy)
        host = parts.hostname or ""
        wire = await connect(HttpWire, host, parts.port or _PORTS[parts.scheme], self._timeout)
        if parts.scheme == "https":
            try:
                await self._encrypt(wire, host)
            except BaseException:
                wire.abort()
                raise
        return wire

    async def _ask_for_tunnel(self, wire: HttpWire) -> None:
        """Ask the proxy for a connection to the API (RFC 9110 section 9.3.6)."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        told = "".join(f"{name}: {value}\r\n" for name, value in self._api.proxy_headers.items())
        request = f"CONNECT {host}:{self._port} HTTP/1.1\r\nHost: {host}:{self._port}\r\n{told}\r\n"
        answer = await wire.ask(request.encode("ascii"), body=False)
        if not 200 <= answer.status < 300:
            raise Broken(f"the proxy answered {answer.status}")

    async def _encrypt(self, wire: HttpWire, host: str) -> None:
        if self._context is not None:
            await wire.encrypt(self._context, host)
