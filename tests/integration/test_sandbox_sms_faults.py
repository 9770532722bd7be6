"""Every fault of the sandbox's Twilio API, as the real twilio client meets it."""

import socket
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
import requests
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from deploy.sandbox.ledger import Entry, read_entries
from deploy.sandbox.options import SENDER, SandboxOptions
from deploy.sandbox.process import LOG_FILE, start_sandbox
from deploy.sandbox.state import Sandbox

TO = "+12025550100"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox that has nothing to complain about, whatever its clients do."""
    folder = tmp_path_factory.mktemp("sandbox")
    with start_sandbox(SandboxOptions(data_dir=folder)) as process:
        yield process.sandbox
    assert (folder / LOG_FILE).read_text() == ""


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Client]:
    http = TwilioHttpClient(timeout=10)
    http.session.trust_env = False
    client = Client(sandbox.account_sid, sandbox.auth_token, http_client=http)
    client.api.base_url = sandbox.http_url
    yield client
    http.session.close()
    sandbox.client.end_faults()


def send(client: Client, to: str = TO) -> str:
    message = client.messages.create(to=to, from_=SENDER, body="Hi")
    assert message.sid is not None
    return message.sid


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def accepted(sandbox: Sandbox) -> list[Entry]:
    return [entry for entry in read_entries(sandbox.ledger) if entry.event == "accepted"]


def test_latency(sandbox: Sandbox, client: Client) -> None:
    sandbox.client.add_fault("sms", "latency", seconds=0.4, times=1)
    before = time.monotonic()
    send(client)
    assert time.monotonic() - before >= 0.4


def test_latency_outlasts_the_client(sandbox: Sandbox, client: Client) -> None:
    sandbox.client.add_fault("sms", "latency", seconds=0.5, times=1)
    client.http_client.timeout = 0.1
    known = len(accepted(sandbox))
    before = time.time()
    with pytest.raises(requests.exceptions.ReadTimeout):
        send(client)
    wait_until(lambda: len(accepted(sandbox)) > known)
    assert accepted(sandbox)[-1].at - before >= 0.5


def test_latencies_add_up_and_another_fault_follows(sandbox: Sandbox, client: Client) -> None:
    sandbox.client.add_fault("sms", "latency", seconds=0.2)
    sandbox.client.add_fault("sms", "latency", seconds=0.2)
    sandbox.client.add_fault("sms", "reply", status=503)
    before = time.monotonic()
    with pytest.raises(TwilioRestException) as caught:
        send(client)
    assert time.monotonic() - before >= 0.4
    assert (caught.value.status, caught.value.code) == (503, 20503)


def test_429_with_retry_after_by_number(sandbox: Sandbox, client: Client) -> None:
    fault = sandbox.client.add_fault("sms", "reply", status=429, retry_after=7, times=2)
    known = len(accepted(sandbox))
    for _ in range(2):
        with pytest.raises(TwilioRestException) as caught:
            send(client)
        assert (caught.value.status, caught.value.code) == (429, 20429)
        assert client.http_client._test_only_last_response.headers["Retry-After"] == "7"
    refused = list(read_entries(sandbox.ledger))[-1]
    assert (refused.event, refused.code, refused.fault, refused.to) == ("refused", 20429, fault.id, TO)
    assert len(accepted(sandbox)) == known
    sid = send(client)
    assert accepted(sandbox)[-1].id == sid
    assert [(report.hits, report.left) for report in sandbox.client.faults()] == [(2, 0)]


def test_500_before_accepting(sandbox: Sandbox, client: Client) -> None:
    sandbox.client.add_fault("sms", "reply", status=500, times=1)
    known = len(accepted(sandbox))
    with pytest.raises(TwilioRestException) as caught:
        send(client)
    assert (caught.value.status, caught.value.code) == (500, 20500)
    assert len(accepted(sandbox)) == known


def test_500_after_accepting(sandbox: Sandbox, client: Client) -> None:
    fault = sandbox.client.add_fault("sms", "reply", "accepted", status=500, times=1)
    known = len(accepted(sandbox))
    with pytest.raises(TwilioRestException) as caught:
        send(client)
    assert caught.value.status == 500
    entry = accepted(sandbox)[-1]
    assert (len(accepted(sandbox)), entry.fault) == (known + 1, fault.id)
    assert entry.id is not None
    assert client.messages(entry.id).fetch().to == TO


def test_any_code_of_twilios(sandbox: Sandbox, client: Client) -> None:
    sandbox.client.add_fault("sms", "reply", status=400, code=30034, times=1)
    with pytest.raises(TwilioRestException) as caught:
        send(client)
    assert (caught.value.status, caught.value.code) == (400, 30034)


def test_a_page_that_is_not_twilios(sandbox: Sandbox, client: Client) -> None:
    sandbox.client.add_fault("sms", "reply", status=502, text="<h1>Bad Gateway</h1>", times=1)
    with pytest.raises(TwilioRestException) as caught:
        send(client)
    assert caught.value.status == 502
    assert list(read_entries(sandbox.ledger))[-1].code is None


def test_silence_before_accepting(sandbox: Sandbox, client: Client) -> None:
    sandbox.client.add_fault("sms", "silence", times=1)
    client.http_client.timeout = 0.3
    known = len(accepted(sandbox))
    with pytest.raises(requests.exceptions.ReadTimeout):
        send(client)
    wait_until(lambda: sandbox.client.faults()[0].hits == 1)
    assert len(accepted(sandbox)) == known


def test_accept_and_never_answer(sandbox: Sandbox, client: Client) -> None:
    fault = sandbox.client.add_fault("sms", "silence", "accepted", times=1)
    client.http_client.timeout = 0.3
    known = len(accepted(sandbox))
    with pytest.raises(requests.exceptions.ReadTimeout):
        send(client)
    wait_until(lambda: len(accepted(sandbox)) == known + 1)
    assert accepted(sandbox)[-1].fault == fault.id
    client.http_client.timeout = 10
    send(client)


@pytest.mark.parametrize("kind", ["reset", "drop"])
@pytest.mark.parametrize(("stage", "more"), [("connect", 0), ("request", 0), ("accepted", 1)])
def test_cut_connections(sandbox: Sandbox, client: Client, kind: str, stage: str, more: int) -> None:
    sandbox.client.add_fault("sms", kind, stage, times=1)
    known = len(accepted(sandbox))
    with pytest.raises(requests.exceptions.ConnectionError):
        send(client)
    assert len(accepted(sandbox)) == known + more
    send(client)


def test_silence_at_connect(sandbox: Sandbox, client: Client) -> None:
    sandbox.client.add_fault("sms", "silence", "connect", times=1)
    client.http_client.timeout = 0.3
    with pytest.raises(requests.exceptions.ReadTimeout):
        send(client)
    client.http_client.timeout = 10
    send(client)


def test_refuse_stops_listening_until_it_ends(sandbox: Sandbox, client: Client) -> None:
    send(client)  # from now on there is an idle connection
    for _ in range(2):
        fault = sandbox.client.add_fault("sms", "refuse")
        with pytest.raises(requests.exceptions.ConnectionError, match="refused"):
            send(client)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", urlsplit(sandbox.http_url).port or 0), timeout=5).close()
        assert sandbox.client.pid() == sandbox.pid
        sandbox.client.end_faults(fault.id)
        send(client)


def test_refuse_lets_a_request_under_way_end(sandbox: Sandbox, client: Client) -> None:
    port = urlsplit(sandbox.http_url).port or 0
    sandbox.client.add_fault("sms", "latency", seconds=0.5, times=1)
    body = b"To=%2B12025550100&From=%2B15005550006&Body=Hi"
    path = f"/2010-04-01/Accounts/{sandbox.account_sid}/Messages.json"
    authorization = requests.auth._basic_auth_str(sandbox.account_sid, sandbox.auth_token)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(head.encode() + body)
        while not sandbox.client.faults()[0].hits:
            time.sleep(0.01)
        sandbox.client.add_fault("sms", "refuse")
        answer = b""
        while more := connection.recv(65536):  # to its end: the connection is closed after the answer
            answer += more
    assert answer.startswith(b"HTTP/1.1 201")


def test_by_recipient(sandbox: Sandbox, client: Client) -> None:
    sandbox.client.add_fault("sms", "reply", status=500, to="+12025550177")
    sandbox.client.add_fault("sms", "reply", status=503, to_contains="4420")
    send(client)
    for to, status in (("+12025550177", 500), ("+442071838750", 503), ("+12025550177", 500)):
        with pytest.raises(TwilioRestException) as caught:
            send(client, to)
        assert caught.value.status == status


def test_by_share_the_same_for_the_same_seed(sandbox: Sandbox, client: Client) -> None:
    def draw(seed: int) -> list[bool]:
        fault = sandbox.client.add_fault("sms", "reply", status=500, share=0.3, seed=seed)
        drawn = []
        for _ in range(40):
            try:
                send(client)
                drawn.append(False)
            except TwilioRestException:
                drawn.append(True)
        assert sandbox.client.end_faults(fault.id)[0].hits == sum(drawn)
        return drawn

    first = draw(1)
    assert draw(1) == first
    assert draw(2) != first
    assert 3 <= sum(first) <= 24


def test_lookups_have_faults_of_their_own(sandbox: Sandbox, client: Client) -> None:
    sid = send(client)
    sandbox.client.add_fault("sms", "reply", "lookup", status=503, times=2)
    with pytest.raises(TwilioException, match="20503"):
        client.messages.list(to=TO)
    with pytest.raises(TwilioRestException) as caught:
        client.messages(sid).fetch()
    assert caught.value.status == 503
    assert client.messages(sid).fetch().sid == sid
    sandbox.client.add_fault("sms", "reset", "lookup", to=TO)
    with pytest.raises(requests.exceptions.ConnectionError):
        client.messages.list(to=TO)
    assert client.messages.list(to="+12025550199") == []
    send(client)
