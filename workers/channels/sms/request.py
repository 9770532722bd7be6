"""The request that creates a message: byte for byte as twilio-python builds it, without what repeats."""

import logging
from typing import Final
from urllib.parse import quote_plus

from twilio.http import HttpClient
from twilio.http.response import Response
from urllib3.util import make_headers

from workers.channels.channel import Sms
from workers.channels.sms.asking import messages_of

_NEVER_USED: Final = logging.getLogger("twilio.http_client")


class _Recorder(HttpClient):
    """Keeps a request of twilio-python instead of sending it."""

    def __init__(self) -> None:
        super().__init__(_NEVER_USED, is_async=False)
        self.url = ""
        self.headers: dict[str, str] = {}

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
        self.url = uri
        self.headers = dict(headers or {})
        if auth is not None:
            self.headers |= {"Authorization": make_headers(basic_auth=":".join(auth))["authorization"]}
        return Response(201, "{}")


class MessageRequest:
    """Builds the requests of one sender."""

    def __init__(self, account_sid: str, auth_token: str, sender: dict[str, str], base_url: str) -> None:
        """Let twilio-python build one request, and keep what is the same in all of them."""
        recorder = _Recorder()
        messages_of(account_sid, auth_token, base_url, recorder).create(to="", body="", **sender)
        self.url = recorder.url
        self.headers = {**recorder.headers, "Accept-Encoding": "identity"}
        from_, service = sender.get("from_"), sender.get("messaging_service_sid")
        self._sender = f"From={_quoted(from_)}" if from_ else f"MessagingServiceSid={_quoted(service or '')}"

    def body(self, sms: Sms) -> bytes:
        """Return the form of a message, its fields in the order of twilio-python's."""
        callback = f"&StatusCallback={_quoted(sms.status_callback)}" if sms.status_callback is not None else ""
        media = "".join([f"&MediaUrl={_quoted(url)}" for url in sms.media_urls])
        return f"To={_quoted(sms.to)}{callback}&{self._sender}&Body={_quoted(sms.body)}{media}".encode()


def _quoted(value: str) -> str:
    return quote_plus(value, encoding="utf-8", errors="replace")
