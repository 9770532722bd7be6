"""Posts requests to Twilio over connections that are kept, and tells "no connection" from "no answer"."""

import asyncio
import ssl
from typing import Any, Final, NamedTuple

from aiohttp import (
    ClientConnectionError,
    ClientError,
    ClientPayloadError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
)
from aiohttp.connector import Connection
from multidict import CIMultiDict
from yarl import URL

from workers.channels.sms.api import Api
from workers.channels.sms.asking import CONNECT_SECONDS
from workers.channels.tls import client_context

#: Real seconds after which an idle connection is not used again. A server that closes it just as a request is on its
#: way leaves that request unanswered, which takes an hour to resolve; a new connection takes a few milliseconds.
#: Load balancers close after 60 seconds or more; 20 stay clear of that.
IDLE_SECONDS: Final = 20.0

#: The longest body of an answer. Twilio's take about one kilobyte.
LONGEST_BODY: Final = 8 * 1024 * 1024

#: Connections that are given up for one request because the server has said something on them unasked.
_MOST_SPOILED: Final = 100

#: The headers that aiohttp adds where they are missing.
_AUTOMATIC: Final = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")

#: What goes wrong with a connection.
BROKEN: Final = (ClientError, OSError, ValueError)


class NotConnected(Exception):  # noqa: N818 (a fact, as in engine.errors)
    """There was no connection, so nothing of the request was sent. Only what fails in `connect` is this."""


class Answer(NamedTuple):
    """What the server answered."""

    status: int
    body: bytes
    retry_after: str | None
    date: str | None


class _Connector(TCPConnector):
    """Gives connections, and tells when there is none."""

    async def connect(self, *arguments: Any, **options: Any) -> Connection:
        """Return a connection on which the server has said nothing yet: it would be taken for the answer.

        Raises:
            NotConnected: there is none.
        """
        try:
            for _ in range(_MOST_SPOILED):
                connection = await super().connect(*arguments, **options)
                if connection.protocol is None or not connection.protocol.should_close:
                    return connection
                connection.close()
            raise ClientConnectionError("the server talks before it is asked")
        except BROKEN as error:
            raise NotConnected(str(error) or "it takes too long") from error
        except asyncio.CancelledError as error:
            raise NotConnected("it takes too long") from error


class Posting:
    """Posts to one URL, straight or through a proxy. Used in one event loop."""

    def __init__(self, api: Api, url: str, headers: dict[str, str], timeout: float) -> None:
        """Prepare; nothing is connected yet. `timeout` is in real seconds."""
        self._url = URL(url, encoded=True)
        # Over TLS the proxy is told at the CONNECT, and sees no more.
        self._headers = CIMultiDict(headers if api.encrypted else headers | api.proxy_headers)
        self._proxy = None if api.proxy is None else URL(api.proxy)
        self._proxy_headers = api.proxy_headers
        self._timeout = ClientTimeout(total=None, sock_connect=min(CONNECT_SECONDS, timeout))
        to_encrypt = api.encrypted or (self._proxy is not None and self._proxy.scheme == "https")
        self._context: ssl.SSLContext | bool = client_context() if to_encrypt else True
        self._session: ClientSession | None = None
        self._closed = False

    async def post(self, body: bytes) -> Answer:
        """Send a request, wait for the answer and read all of it.

        Nothing is tried twice: aiohttp repeats idempotent methods only, and POST is none. No redirect is followed.

        Raises:
            NotConnected: there was no connection: it was definitely not sent.
            ClientError, OSError, ValueError: it may have been sent, and was not answered.
        """
        if self._closed:
            raise NotConnected("the channel is closed")
        if self._session is None:
            self._session = self._open()
        async with self._session.post(
            self._url, data=body, headers=self._headers, allow_redirects=False, proxy_headers=self._proxy_headers
        ) as response:
            headers = response.headers
            if headers.get("Content-Encoding", "identity").lower() != "identity":
                raise ClientPayloadError("the answer is encoded, though nobody asked for that")
            return Answer(response.status, await _read(response), headers.get("Retry-After"), headers.get("Date"))

    async def close(self) -> None:
        """Close the connections."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    def _open(self) -> ClientSession:
        # Headers of the session would go to the proxy too, the credentials among them.
        return ClientSession(
            connector=_Connector(limit=0, keepalive_timeout=IDLE_SECONDS, ssl=self._context),
            skip_auto_headers=_AUTOMATIC,
            cookie_jar=DummyCookieJar(),
            timeout=self._timeout,
            auto_decompress=False,
            proxy=self._proxy,
        )


async def _read(response: ClientResponse) -> bytes:
    """Return the body of an answer.

    Raises:
        ClientPayloadError: it breaks off, or is too long.
    """
    parts: list[bytes] = []
    length = 0
    async for part in response.content.iter_any():
        length += len(part)
        if length > LONGEST_BODY:
            raise ClientPayloadError("the answer is too long")
        parts.append(part)
    return b"".join(parts)
