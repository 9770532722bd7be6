"""The requests that read from Twilio: look-ups and the check of the credentials. Rare, so twilio-python builds them."""

import logging
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlencode

from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import Client
from twilio.rest.api.v2010.account.message import MessageList
from urllib3 import PoolManager, ProxyManager, Retry, Timeout
from urllib3.util import make_headers

from workers.channels.sms.api import Api
from workers.channels.tls import client_context

#: Real seconds for a connection to come about.
CONNECT_SECONDS: Final = 3.0

_NO_RETRIES: Final = Retry(False, redirect=False)
_NEVER_USED: Final = logging.getLogger("twilio.http_client")


def messages_of(account_sid: str, auth_token: str, base_url: str, http: HttpClient) -> MessageList:
    """Return twilio-python's messages of an account, over this client.

    Its environment is empty, since TWILIO_REGION and TWILIO_EDGE would change the host.
    """
    client = Client(  # type: ignore[no-untyped-call]
        account_sid, auth_token, http_client=http, environment={"TWILIO_REGION": ""}
    )
    client.api.base_url = base_url
    return client.messages


class AskingHttp(HttpClient):
    """Carries twilio-python's requests, and keeps of the last answer what its errors leave out.

    For one thread at a time. It logs nothing: twilio-python's own client logs phone numbers and bodies.
    """

    def __init__(self, api: Api, timeout: float) -> None:
        """Prepare; nothing is connected yet. `timeout` is what one answer may take, in real seconds."""
        super().__init__(_NEVER_USED, is_async=False)
        options: dict[str, Any] = {
            "timeout": Timeout(connect=min(CONNECT_SECONDS, timeout), read=timeout),
            "ssl_context": client_context() if api.encrypted else None,
        }
        self._pools: PoolManager = (
            PoolManager(**options)
            if api.proxy is None
            else ProxyManager(api.proxy, proxy_headers=api.proxy_headers, **options)
        )
        self.status = 0
        """The HTTP status of the last answer; 0: there was none."""
        self.ahead = timedelta()
        """How far the clock of the last answer's Date was ahead of this machine's."""

    def request(
        self,
        method: str,
        uri: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """Send a request of twilio-python that has no body. `timeout` is not used: the connections have theirs.

        Raises:
            HTTPError: it was not answered.
        """
        self.status = 0
        url = f"{uri}?{urlencode(params, doseq=True)}" if params else uri
        sent_headers = dict(headers or {})
        if auth is not None:
            sent_headers |= make_headers(basic_auth=":".join(auth))
        answer = self._pools.request(method, url, headers=sent_headers, retries=_NO_RETRIES, redirect=False)
        self.status = answer.status
        self.ahead = _ahead(answer.headers.get("Date"))
        return Response(answer.status, answer.data.decode("utf-8", "replace"))

    def close(self) -> None:
        """Close the connections."""
        self._pools.clear()


def _ahead(date: str | None) -> timedelta:
    """Return how far the clock that told this date is ahead of ours; nothing, if it can't be read."""
    try:
        told = parsedate_to_datetime(date or "")
    except (ValueError, TypeError):
        return timedelta()
    return told.astimezone(UTC) - datetime.now(UTC)
