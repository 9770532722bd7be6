"""The load of callbacks: requests that are signed as Twilio's are, answers read in whatever pieces they come."""

import json
from dataclasses import asdict
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from twilio.request_validator import RequestValidator

from deploy.bench.callback_load import Plan, read_plan, whole_answer
from deploy.bench.measures.callbacks import _shares
from deploy.bench.signed import ACCOUNT, AUTH_TOKEN, signer_for

URL = "https://hooks.example.com/cadenza"
PATH = "/webhooks/twilio/ws_1/status?attempt=AAAA-_"


def taken_apart(request: bytes) -> tuple[str, dict[str, str], dict[str, str]]:
    """The target, the headers and the form of a request."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert int(headers["Content-Length"]) == len(body)
    return first, headers, dict(parse_qsl(body.decode(), keep_blank_values=True))


@pytest.mark.parametrize("kind", ["status", "stop"])
def test_a_request_bears_the_signature_of_its_url_and_its_form(kind: str) -> None:
    signer = signer_for(URL)
    if kind == "status":
        request = signer.status(PATH, "SM" + "0" * 32, "delivered", "+12025550101")
    else:
        request = signer.stop(PATH, "SM" + "0" * 32, "+12025550101")
    first, headers, form = taken_apart(request)
    assert first == f"POST /cadenza{PATH} HTTP/1.1"
    assert headers["Host"] == "hooks.example.com"
    assert form["AccountSid"] == ACCOUNT
    assert form.get("Body") == (None if kind == "status" else "STOP")
    validator = RequestValidator(AUTH_TOKEN)
    assert validator.validate(URL + PATH, form, headers["X-Twilio-Signature"])
    assert not validator.validate(URL + PATH, {**form, "To": "+12025550102"}, headers["X-Twilio-Signature"])


NO_CONTENT = b"HTTP/1.1 204 No Content\r\nDate: today\r\n\r\n"
WITH_BODY = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n<Response/>"


@pytest.mark.parametrize(("answer", "status"), [(NO_CONTENT, "204"), (WITH_BODY, "200")])
def test_an_answer_is_whole_when_all_of_it_is_there(answer: bytes, status: str) -> None:
    assert [whole_answer(answer[:length]) for length in range(len(answer))] == [None] * len(answer)
    assert whole_answer(answer) == status


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    plan = Plan("127.0.0.1", 8000, URL, connections=3, seconds=1.5, stops_a_second=2.0)
    path = tmp_path / "plan.ndjson"
    lines = [asdict(plan), ["status", [PATH, "SM1", "sent", "+1"]], ["stop", ["/inbound", "SM2", "+2"]]]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    read, callbacks, stops = read_plan(path)
    signer = signer_for(URL)
    assert read == plan
    assert callbacks == [signer.status(PATH, "SM1", "sent", "+1")]
    assert stops == [signer.stop("/inbound", "SM2", "+2")]


def test_every_request_is_in_one_share() -> None:
    items = [[str(number)] for number in range(10)]
    shares = _shares(items, 3)
    assert [one for share in shares for one in share] == items
    assert {len(share) for share in shares} == {3, 4}
