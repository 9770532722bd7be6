"""What is made of Twilio's list of messages, over a real socket."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from engine.rules.doubt import Sighting
from workers.channels.channel import LookUpFailed, Sms
from workers.channels.sms.channel import SmsChannel

TO = "+12025550100"
SMS = Sms(TO, "Hi Ana")
NOW = datetime.now(UTC).replace(microsecond=0)


def message(sid: str, body: str = "Hi Ana", seconds: float = 1, direction: str = "outbound-api") -> dict[str, Any]:
    """A message of the list, made so many seconds from now."""
    made = format_datetime(NOW + timedelta(seconds=seconds))
    return {"sid": sid, "to": TO, "body": body, "direction": direction, "date_created": made}


@contextmanager
def twilio(messages: list[dict[str, Any]], ahead: float | None = 0, status: int = 200) -> Iterator[SmsChannel]:
    """A channel to an API that has these messages, whose clock is ahead by so many seconds; None: it tells no date."""

    class Api(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"messages": messages, "page_size": 1_000, "next_page_uri": None}).encode()
            self.send_response_only(status)
            if ahead is not None:
                self.send_header("Date", format_datetime(datetime.now(UTC) + timedelta(seconds=ahead), usegmt=True))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Api)
    thread = Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    channel = SmsChannel("AC" + "1" * 32, "token", {"from_": "+15005550006"}, url, 10.0)
    try:
        yield channel
    finally:
        asyncio.run(channel.close())
        server.shutdown()
        server.server_close()
        thread.join()


def look_up(messages: list[dict[str, Any]], ahead: float | None = 0, sms: Sms = SMS) -> Sighting:
    with twilio(messages, ahead) as channel:
        return channel.look_up(sms, NOW)


def test_what_has_the_text_is_told_apart_from_what_has_not() -> None:
    found = look_up([message("SM3", "Hi Ben"), message("SM2"), message("SM1", "")])
    assert found.provider_ids == ("SM2",)
    assert [(other.provider_id, other.text) for other in found.others] == [("SM3", "Hi Ben"), ("SM1", "")]


def test_the_text_of_a_trial_account_is_recognized() -> None:
    """Twilio tells it with what it has put before it; a message that is not recognized would be sent again."""
    assert look_up([message("SM1", "Sent from your Twilio trial account - Hi Ana")]).provider_ids == ("SM1",)


@pytest.mark.parametrize("direction", ["inbound", "outbound-reply", "outbound-call"])
def test_only_what_was_sent_by_the_api_counts(direction: str) -> None:
    assert look_up([message("SM1", direction=direction)]) == Sighting()


def test_what_was_made_before_the_attempt_is_another_message() -> None:
    assert look_up([message("SM2"), message("SM1", seconds=-60)]).provider_ids == ("SM2",)


@pytest.mark.parametrize("ahead", [-7_200, -600, 0, 600, 7_200])
def test_whatever_twilios_clock_says_is_compared_by_twilios_clock(ahead: float) -> None:
    """Ours may be wrong, and the database's with it: a message that is not found would be sent again."""
    found = look_up([message("SM2", seconds=ahead + 1), message("SM1", seconds=ahead - 60)], ahead)
    assert found.provider_ids == ("SM2",)


def test_without_a_date_the_clocks_are_taken_to_agree() -> None:
    assert look_up([message("SM2", seconds=-20), message("SM1", seconds=-60)], ahead=None).provider_ids == ("SM2",)


@pytest.mark.parametrize(("status", "for_good"), [(401, False), (404, True), (429, False), (503, False)])
def test_who_does_not_answer_may_do_so_later(status: int, for_good: bool) -> None:
    with twilio([], status=status) as channel, pytest.raises(LookUpFailed) as failed:
        channel.look_up(SMS, NOW)
    assert failed.value.for_good is for_good


def test_the_error_code_of_a_message_that_was_not_delivered_comes_along() -> None:
    undelivered = {**message("SM1"), "status": "undelivered", "error_code": 30005}
    failed = {**message("SM2"), "status": "failed", "error_code": 21610}
    delivered = {**message("SM3"), "status": "delivered", "error_code": None}
    under_way = {**message("SM4"), "status": "sent", "error_code": 30003}
    found = look_up([undelivered, failed, delivered, under_way])
    assert found.error_codes == {"SM1": "30005", "SM2": "21610"}
