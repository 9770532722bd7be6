"""twilio-python's HTTP client, over connections of ours."""

import logging
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlencode

from twilio.http import HttpClient
from twilio.http.response import Response
from urllib3.util import make_headers

from engine.rules.answers import retry_after_seconds
from workers.channels.sms.connections import Connections

_NEVER_USED: Final = logging.getLogger("twilio.http_client")


class TwilioHttp(HttpClient):
    """Carries the requests of one twilio-python client, and remembers of the last answer what its errors leave out.

    For one thread at a time. It logs nothing: twilio-python's own client writes phone numbers and bodies.
    """

    def __init__(self, connections: Connections) -> None:
        """Use these connections, which may be shared."""
        super().__init__(_NEVER_USED, is_async=False)
        self._connections = connections
        self._authorization: dict[tuple[str, str], str] = {}
        self.status = 0
        """The HTTP status of the last answer; 0: there was none."""
        self.retry_after: float | None = None
        """Real seconds that the last answer asked to wait."""
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
        """Send a request of twilio-python. `timeout` is not used: the connections have theirs.

        Raises:
            NotConnected: it was definitely not sent.
            HTTPError: it was not answered.
        """
        self.status = 0
        self.retry_after = None
        url = f"{uri}?{_form(params)}" if params else uri
        sent_headers = dict(headers or {})
        if auth is not None:
            sent_headers["Authorization"] = self._authorize(auth)
        answer = self._connections.request(method, url, _form(data) if data else None, sent_headers)
        text = answer.data.decode("utf-8", "replace")
        self.status = answer.status
        self.retry_after = retry_after_seconds(answer.headers.get("Retry-After"), answer.headers.get("Date"))
        self.ahead = _ahead(answer.headers.get("Date"))
        return Response(answer.status, text)

    def _authorize(self, auth: tuple[str, str]) -> str:
        if auth not in self._authorization:
            self._authorization[auth] = make_headers(basic_auth=":".join(auth))["authorization"]
        return self._authorization[auth]


def _ahead(date: str | None) -> timedelta:
    """How far the clock that told this date is ahead of ours; nothing, if it can't be read."""
    try:
        told = parsedate_to_datetime(date or "")
    except (ValueError, TypeError):
        return timedelta()
    return told.astimezone(UTC) - datetime.now(UTC)


def _form(values: dict[str, object]) -> str:
    return urlencode(values, doseq=True, encoding="utf-8", errors="replace")
