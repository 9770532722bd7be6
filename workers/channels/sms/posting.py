"""The HTTP connections over which messages are handed to Twilio: they tell "no connection" from "no answer"."""

import asyncio
import ssl
from typing import Any, Final, NamedTuple

from aiohttp import BaseConnector, ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from multidict import CIMultiDict
from yarl import URL

from workers.channels.sms.api import Api
from workers.channels.sms.asking import CONNECT_SECONDS
from workers.channels.tls import client_context

#: Real seconds after which an idle connection is not used again. A server that closes it just as a request is on its
#: way leaves that request unanswered, which takes an hour to resolve; a new connection takes a few milliseconds.
#: Load balancers close after 60 seconds or more; 20 stay clear of that.
IDLE_SECONDS: Final = 20.0

#: What goes wrong with a connection.
BROKEN: Final = (ClientError, OSError, ValueError, TimeoutError)


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

    async def connect(self, *arguments: Any, **options: Any) -> Any:
        try:
            return await super().connect(*arguments, **options)
        except BROKEN as error:
            raise NotConnected(str(error) or "it takes too long") from error
        except asyncio.CancelledError as error:
            raise NotConnected("it takes too long") from error


class Posting:
    """Posts requests to one URL over connections that are kept. Used in one event loop."""

    def __init__(self, api: Api, url: str, headers: dict[str, str], timeout: float) -> None:
        """Prepare; nothing is connected yet. `timeout` is in real seconds."""
        self._api = api
        self._url = URL(url, encoded=True)
        # Over TLS the proxy is told at the CONNECT, and sees no more.
        self._headers = CIMultiDict(headers if api.encrypted else headers | api.proxy_headers)
        self._timeout = ClientTimeout(total=None, sock_connect=min(CONNECT_SECONDS, timeout))
        self._context: ssl.SSLContext | bool = client_context() if api.encrypted else True
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
            self._url,
            data=body,
            headers=self._headers,
            proxy=self._api.proxy,
            proxy_headers=self._api.proxy_headers,
            allow_redirects=False,
        ) as response:
            headers = response.headers
            return Answer(response.status, await response.read(), headers.get("Retry-After"), headers.get("Date"))

    async def close(self) -> None:
        """Close the connections."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    def _open(self) -> ClientSession:
        connector: BaseConnector = _Connector(limit=0, keepalive_timeout=IDLE_SECONDS, ssl=self._context)
        return ClientSession(connector=connector, cookie_jar=DummyCookieJar(), timeout=self._timeout)
