"""The request that creates a message: byte for byte as twilio-python builds it, without what repeats."""

import logging
import re
from typing import Final

from twilio.http import HttpClient
from twilio.http.response import Response
from urllib3.util import make_headers

from workers.channels.channel import Sms
from workers.channels.sms.asking import messages_of

_NEVER_USED: Final = logging.getLogger("twilio.http_client")

_UNSAFE: Final = re.compile(rb"[^A-Za-z0-9_.\-~ ]")
_ESCAPES: Final = {bytes([octet]): b"%%%02X" % octet for octet in range(256)}


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
        self._sender = b"From=" + quoted(from_) if from_ else b"MessagingServiceSid=" + quoted(service or "")

    def body(self, sms: Sms) -> bytes:
        """Return the form of a message, its fields in the order of twilio-python's."""
        parts = [b"To=", quoted(sms.to)]
        if sms.status_callback is not None:
            parts += (b"&StatusCallback=", quoted(sms.status_callback))
        parts += (b"&", self._sender, b"&Body=", quoted(sms.body))
        for url in sms.media_urls:
            parts += (b"&MediaUrl=", quoted(url))
        return b"".join(parts)


def quoted(value: str) -> bytes:
    """Return a value as a form has it: what `urllib.parse.quote_plus` makes of it, which goes octet by octet."""
    return _UNSAFE.sub(_escape, value.encode("utf-8", "replace")).replace(b" ", b"+")


def _escape(found: re.Match[bytes]) -> bytes:
    return _ESCAPES[found[0]]
