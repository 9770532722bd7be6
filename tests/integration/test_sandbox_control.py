"""The sandbox's controls: what they answer, and how they refuse what can't be meant."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import urllib3

from deploy.sandbox.options import SandboxOptions
from deploy.sandbox.process import start_sandbox
from deploy.sandbox.state import Sandbox
from engine.errors import InvalidInput, Unavailable


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with start_sandbox(SandboxOptions(data_dir=tmp_path_factory.mktemp("sandbox"))) as process:
        yield process.sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    yield running
    running.client.end_faults()


def test_faults_come_and_go(sandbox: Sandbox) -> None:
    client = sandbox.client
    first = client.add_fault("sms", "reply", status=429, retry_after=3, times=2, to_contains="555")
    second = client.add_fault("email", "silence", "accepted", share=0.25, seed=9)
    assert (first.channel, first.kind, first.where, first.hits, first.left) == ("sms", "reply", "request", 0, 2)
    assert (second.where, second.left, second.seed) == ("accepted", None, 9)
    assert client.faults() == [first, second]
    assert client.end_faults(first.id) == [first]
    with pytest.raises(InvalidInput, match="no such fault"):
        client.end_faults(first.id)
    assert client.end_faults() == [second]
    assert client.faults() == []


@pytest.mark.parametrize("on", ["http_url", "control_url"])
def test_they_are_on_both_ports(sandbox: Sandbox, on: str) -> None:
    with urllib3.PoolManager() as http:
        health = http.request("GET", getattr(sandbox, on) + "/healthz", timeout=10)
        assert health.json() == {"status": "ok", "pid": sandbox.pid, "account_sid": sandbox.account_sid}
        assert http.request("GET", getattr(sandbox, on) + "/sandbox/faults", timeout=10).json() == {"faults": []}


@pytest.mark.parametrize(
    ("spec", "where", "how"),
    [
        ({"channel": "fax", "kind": "reply"}, "channel", "sms or email"),
        ({"channel": "sms", "kind": "fire"}, "kind", "latency"),
        ({"channel": "sms"}, "kind", "latency"),
        ({"channel": "sms", "kind": "reply", "status": 429, "sometimes": 1}, "sometimes", "one of the fields channel"),
        ({"channel": "sms", "kind": "reply"}, "status", "as 429"),
        ({"channel": "sms", "kind": "reply", "status": 200}, "status", "from 400 to 599"),
        ({"channel": "sms", "kind": "reply", "status": 500, "stage": "rcpt"}, "stage", "request or accepted or lookup"),
        ({"channel": "sms", "kind": "latency"}, "seconds", "give it for latency"),
        ({"channel": "sms", "kind": "reset", "seconds": 3}, "seconds", "only there"),
        ({"channel": "sms", "kind": "latency", "seconds": 0}, "seconds", "above 0"),
        ({"channel": "sms", "kind": "reset", "code": 21211}, "kind", "make it `reply`"),
        ({"channel": "sms", "kind": "reset", "share": 1.5}, "share", "at most 1"),
        ({"channel": "sms", "kind": "reset", "times": 0}, "times", "1 or more"),
        ({"channel": "sms", "kind": "reset", "stage": "connect", "to": "+1"}, "to", "a later stage"),
        ({"channel": "sms", "kind": "refuse", "times": 3}, "times", "reset at connect"),
        ({"channel": "email", "kind": "reply"}, "code", "as 451"),
        ({"channel": "email", "kind": "reply", "code": 21211}, "code", "as 451"),
        ({"channel": "email", "kind": "reply", "code": 451, "status": 500}, "status", "leave them for email"),
        ({"channel": "email", "kind": "reply", "code": 451, "stage": "accepted"}, "stage", "rcpt or mail"),
        ({"channel": "email", "kind": "reply", "code": 451, "text": "a\r\nb"}, "text", "one line"),
        ({"channel": "email", "kind": "drop", "stage": "mail", "to_contains": "a"}, "to", "a later stage"),
    ],
)
def test_a_fault_that_cannot_be_meant_says_what_where_and_how(
    sandbox: Sandbox, spec: dict[str, object], where: str, how: str
) -> None:
    with urllib3.PoolManager() as http:
        answer = http.request("POST", sandbox.control_url + "/sandbox/faults", body=json.dumps(spec), timeout=10)
    assert answer.status == 422
    (problem,) = answer.json()["errors"]
    assert problem["where"] == where
    assert how in problem["how"]
    assert problem["what"]
    assert sandbox.client.faults() == []


@pytest.mark.parametrize("body", ["", "nonsense", "[]", "\xff"])
@pytest.mark.parametrize("path", ["/sandbox/faults", "/sandbox/unsubscribed"])
def test_what_is_no_object_is_refused(sandbox: Sandbox, path: str, body: str) -> None:
    with urllib3.PoolManager() as http:
        answer = http.request("POST", sandbox.control_url + path, body=body.encode("latin-1"), timeout=10)
    assert answer.status == 422
    assert answer.json()["errors"][0]["how"] == "send a JSON object"


def test_the_client_says_it_in_one_line(sandbox: Sandbox) -> None:
    with pytest.raises(InvalidInput, match=r"^share: .*; this share of requests, above 0, at most 1$"):
        sandbox.client.add_fault("sms", "reset", share=7)


def test_the_ledger_as_counts_and_whole(sandbox: Sandbox) -> None:
    with urllib3.PoolManager() as http:
        url = f"{sandbox.http_url}/2010-04-01/Accounts/{sandbox.account_sid}/Messages.json"
        headers = urllib3.make_headers(basic_auth=f"{sandbox.account_sid}:{sandbox.auth_token}")
        fields = {"To": "+12025550100", "From": "+15005550006", "Body": "Hi"}
        sent = http.request_encode_body("POST", url, fields, headers, encode_multipart=False, timeout=10)
        http.request_encode_body("POST", url, {**fields, "To": ""}, headers, encode_multipart=False, timeout=10)
        assert sandbox.client.counts() == {
            "sms": {"accepted": 1, "refused": 1},
            "email": {"accepted": 0, "refused": 0},
        }
        whole = http.request("GET", sandbox.control_url + "/sandbox/ledger?full=1", timeout=10)
    assert whole.headers["Content-Type"] == "application/x-ndjson"
    assert whole.data == sandbox.ledger.read_bytes()
    assert [(entry.event, entry.id) for entry in sandbox.client.entries()] == [
        ("accepted", sent.json()["sid"]),
        ("refused", None),
    ]


def test_nobody_there_is_said(sandbox: Sandbox) -> None:
    client = sandbox.client
    client.url = f"http://{sandbox.smtp_host}:1"
    with pytest.raises(Unavailable, match="does not answer"):
        client.faults()
    assert client.pid() is None


def test_what_is_in_flight_is_shown(sandbox: Sandbox) -> None:
    """Until it is answered, whatever the answer."""
    sandbox.client.add_fault("sms", "latency", seconds=1)
    url = f"{sandbox.http_url}/2010-04-01/Accounts/{sandbox.account_sid}/Messages.json"
    headers = urllib3.make_headers(basic_auth=f"{sandbox.account_sid}:{sandbox.auth_token}")
    form = {"To": "+12025550001", "From": "+15005550006", "Body": "Hi"}
    with ThreadPoolExecutor(1) as pool, urllib3.PoolManager() as manager:
        answer = pool.submit(manager.request_encode_body, "POST", url, form, headers, encode_multipart=False)
        while not answer.done() and sandbox.client.in_flight() != ["+12025550001"]:
            pass
        assert not answer.done()
        assert answer.result().status == 201
    assert sandbox.client.in_flight() == []
