"""The request that creates a message is the one that twilio-python makes."""

import logging
from typing import Any
from urllib.parse import quote_plus

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import Client

from workers.channels.channel import Sms
from workers.channels.sms.request import MessageRequest, quoted

ACCOUNT, TOKEN = "AC" + "1" * 32, "token/+"
BASE = "https://api.twilio.com"

texts = st.text(max_size=60) | st.sampled_from(
    ["+12025550100", "a b+c&d=e", "Grüße \U0001f600", "\ud800", "~-._", "\r\n\t\x00", "%2B"]
)


class Capture(HttpClient):
    """Prepares what twilio-python asks for as requests, its own client, would send it."""

    def __init__(self) -> None:
        super().__init__(logging.getLogger("test"), is_async=False)
        self.prepared: requests.PreparedRequest

    def request(self, method: str, uri: str, **given: Any) -> Response:  # type: ignore[override]
        data = {
            name: value if isinstance(value, list) else value.encode("utf-8", "replace")
            for name, value in given["data"].items()
        }
        request = requests.Request(method.upper(), uri, data=data, headers=given["headers"], auth=given["auth"])
        self.prepared = request.prepare()
        return Response(201, "{}")


def twilios(sms: Sms, sender: dict[str, str]) -> requests.PreparedRequest:
    capture = Capture()
    client = Client(ACCOUNT, TOKEN, http_client=capture, environment={"TWILIO_REGION": ""})  # type: ignore[no-untyped-call]
    more: dict[str, Any] = {}
    if sms.media_urls:
        more["media_url"] = list(sms.media_urls)
    if sms.status_callback is not None:
        more["status_callback"] = sms.status_callback
    client.messages.create(to=sms.to, body=sms.body, **more, **sender)
    return capture.prepared


@pytest.mark.parametrize("sender", [{"from_": "+1500 5550006"}, {"messaging_service_sid": "MG" + "5" * 32}])
@given(
    to=texts,
    body=texts,
    media=st.lists(st.sampled_from(["https://example.com/a b.png?x=1&y=2", "https://example.com/\u00e9"]), max_size=3),
    callback=st.none() | texts,
)
def test_it_is_twilio_pythons_byte_for_byte(
    sender: dict[str, str], to: str, body: str, media: list[str], callback: str | None
) -> None:
    sms = Sms(to, body, tuple(media), callback)
    expected = twilios(sms, sender)
    request = MessageRequest(ACCOUNT, TOKEN, sender, BASE)
    assert request.url == expected.url
    assert request.body(sms).decode() == expected.body
    theirs = {name: _text(value) for name, value in expected.headers.items()}
    del theirs["Content-Length"]
    assert request.headers == {**theirs, "Accept-Encoding": "identity"}


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


@given(texts)
def test_values_are_quoted_as_in_every_form(value: str) -> None:
    assert quoted(value).decode() == quote_plus(value, encoding="utf-8", errors="replace")
