"""The sandbox's Twilio API, through the real twilio client over real sockets."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from deploy.sandbox.ledger import read_entries, read_ledger
from deploy.sandbox.options import SENDER, SandboxOptions
from deploy.sandbox.process import start_sandbox
from deploy.sandbox.segments import count_segments
from deploy.sandbox.state import Sandbox

SERVICE = "MG" + "a" * 32


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox whose messages stay `queued` until a test is over."""
    options = SandboxOptions(data_dir=tmp_path_factory.mktemp("sandbox"), sent_after=0, delivered_after=3600)
    with start_sandbox(options) as process:
        yield process.sandbox


def connect(sandbox: Sandbox, sid: str | None = None, token: str | None = None) -> Client:
    http = TwilioHttpClient(timeout=10)
    http.session.trust_env = False
    client = Client(sid or sandbox.account_sid, token or sandbox.auth_token, http_client=http)
    client.api.base_url = sandbox.http_url
    return client


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Client]:
    client = connect(sandbox)
    yield client
    client.http_client.session.close()


def refusal(client: Client, **parameters: object) -> TwilioRestException:
    with pytest.raises(TwilioRestException) as caught:
        client.messages.create(**{"to": "+12025550100", "from_": SENDER, "body": "Hi", **parameters})
    return caught.value


def test_a_message_is_accepted_and_in_the_ledger(sandbox: Sandbox, client: Client) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    message = client.messages.create(
        to="+12025550101",
        from_=SENDER,
        body="Grüße & 100% + more",
        validity_period=600,
        status_callback="http://127.0.0.1:9/callback?token=a%2Fb",
    )
    assert message.sid.startswith("SM") and len(message.sid) == 34
    assert (message.to, message.from_, message.body) == ("+12025550101", SENDER, "Grüße & 100% + more")
    assert (message.status, message.direction, message.num_segments, message.num_media) == (
        "sent",
        "outbound-api",
        "1",
        "0",
    )
    assert (message.error_code, message.error_message, message.price, message.account_sid) == (
        None,
        None,
        None,
        sandbox.account_sid,
    )
    assert before <= message.date_created <= datetime.now(UTC)
    assert message.uri == f"/2010-04-01/Accounts/{sandbox.account_sid}/Messages/{message.sid}.json"
    assert message.subresource_uris == {"media": message.uri.replace(".json", "/Media.json")}
    entry = next(entry for entry in read_ledger(sandbox.ledger) if entry.id == message.sid)
    assert (entry.channel, entry.event, entry.to, entry.sender) == ("sms", "accepted", "+12025550101", SENDER)
    assert entry.body == "Grüße & 100% + more"
    assert entry.status_callback == "http://127.0.0.1:9/callback?token=a%2Fb"
    assert abs(entry.at - before.timestamp()) < 60


def test_media_makes_an_mms(sandbox: Sandbox, client: Client) -> None:
    urls = [f"https://example.com/{number}.png" for number in range(10)]
    message = client.messages.create(to="+12025550102", from_=SENDER, media_url=urls)
    assert message.sid.startswith("MM")
    assert (message.num_media, message.body) == ("10", "")
    assert next(read_ledger(sandbox.ledger), None) is not None
    assert [entry.media for entry in read_ledger(sandbox.ledger) if entry.id == message.sid] == [tuple(urls)]
    assert refusal(client, media_url=[*urls, "https://example.com/11.png"]).code == 21623
    assert refusal(client, media_url=["ftp://example.com/1.png"]).code == 21620


def test_a_messaging_service_chooses_the_sender(tmp_path_factory: pytest.TempPathFactory) -> None:
    options = SandboxOptions(data_dir=tmp_path_factory.mktemp("later"), sent_after=3600, delivered_after=3600)
    with start_sandbox(options) as process:
        client = connect(process.sandbox)
        message = client.messages.create(to="+12025550103", messaging_service_sid=SERVICE, body="Hi")
        assert (message.status, message.from_, message.num_segments) == ("accepted", None, "0")
        assert message.messaging_service_sid == SERVICE
        assert (message.date_sent, client.messages.list(date_sent_after=datetime(2020, 1, 1, tzinfo=UTC))) == (None, [])
        assert client.messages.create(to="+12025550103", from_=SENDER, body="Hi").status == "queued"
        assert [entry.messaging_service_sid for entry in process.client.entries()] == [SERVICE, None]
        client.http_client.session.close()


def test_fetch_shows_a_message(client: Client) -> None:
    sent = client.messages.create(to="+12025550104", messaging_service_sid=SERVICE, body="Hi")
    fetched = client.messages(sent.sid).fetch()
    assert (fetched.sid, fetched.body, fetched.status, fetched.from_) == (sent.sid, "Hi", "sent", SENDER)
    assert fetched.date_sent is not None
    with pytest.raises(TwilioRestException) as caught:
        client.messages("SM" + "0" * 32).fetch()
    assert (caught.value.status, caught.value.code) == (404, 20404)


def test_a_path_that_is_not_there_is_20404(client: Client) -> None:
    with pytest.raises(TwilioRestException) as caught:
        client.calls("CA" + "0" * 32).fetch()
    assert (caught.value.status, caught.value.code) == (404, 20404)


def test_list_pages_and_filters(client: Client) -> None:
    sids = [client.messages.create(to="+12025550105", from_=SENDER, body=f"{n}").sid for n in range(7)]
    client.messages.create(to="+12025550106", from_="+12025550199", body="another")
    assert [message.sid for message in client.messages.list(to="+12025550105", page_size=3)] == sids[::-1]
    assert [message.body for message in client.messages.list(to="+12025550105", limit=2)] == ["6", "5"]
    assert [message.body for message in client.messages.list(from_="+12025550199")] == ["another"]
    page = client.messages.page(to="+12025550105", page_size=3)
    second = page.next_page()
    assert second is not None
    assert [message.body for message in second] == ["3", "2", "1"]
    assert [message.body for message in second.previous_page()] == ["6", "5", "4"]
    last = second.next_page()
    assert last is not None
    assert [message.body for message in last] == ["0"]
    assert last.next_page() is None


def test_a_page_stays_in_place_when_messages_arrive(client: Client) -> None:
    for number in range(4):
        client.messages.create(to="+12025550107", from_=SENDER, body=f"{number}")
    page = client.messages.page(to="+12025550107", page_size=2)
    client.messages.create(to="+12025550107", from_=SENDER, body="new")
    following = page.next_page()
    assert following is not None
    assert [message.body for message in following] == ["1", "0"]


def test_list_by_date_sent(client: Client) -> None:
    client.messages.create(to="+12025550108", from_=SENDER, body="Hi")
    now = datetime.now(UTC)
    hour = timedelta(hours=1)

    def found(**dates: datetime) -> int:
        return len(client.messages.list(to="+12025550108", **dates))

    assert found(date_sent_after=now - hour) == 1
    assert found(date_sent_after=now + hour) == 0
    assert found(date_sent_before=now + hour) == 1
    assert found(date_sent_before=now - hour) == 0
    assert found(date_sent_after=now - hour, date_sent_before=now + hour) == 1
    sent = client.messages.list(to="+12025550108")[0].date_sent
    assert found(date_sent=sent) == 1
    assert found(date_sent=sent.replace(hour=0, minute=0, second=0)) == 1
    assert found(date_sent=sent + timedelta(seconds=1)) == 0
    with pytest.raises(TwilioException, match="20001"):
        client.messages.list(date_sent="yesterday")


def test_wrong_credentials_are_20003(sandbox: Sandbox) -> None:
    client = connect(sandbox, token="wrong")
    error = refusal(client)
    assert (error.status, error.code, error.msg.endswith("Authenticate")) == (401, 20003, True)
    with pytest.raises(TwilioException, match="20003"):
        client.messages.list()
    url = f"{sandbox.http_url}/2010-04-01{error.uri}"
    answer = client.http_client.session.post(url, data={"To": "+12025550100"}, timeout=10)
    assert answer.json() == {
        "code": 20003,
        "message": "Authenticate",
        "more_info": "https://www.twilio.com/docs/errors/20003",
        "status": 401,
    }
    assert answer.headers["WWW-Authenticate"].startswith("Basic")
    client.http_client.session.close()


def test_another_account_is_not_there(sandbox: Sandbox, client: Client) -> None:
    other = client.api.accounts("AC" + "f" * 32)
    with pytest.raises(TwilioRestException) as caught:
        other.messages.create(to="+12025550100", from_=SENDER, body="Hi")
    assert (caught.value.status, caught.value.code) == (404, 20404)


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"to": "2025550100"}, 21211),
        ({"to": "+1 202 555 0100"}, 21211),
        ({"to": ""}, 21604),
        ({"body": ""}, 21602),
        ({"from_": ""}, 21603),
        ({"from_": "+1"}, 21212),
        ({"from_": "", "messaging_service_sid": "MG1"}, 21701),
        ({"body": "x" * 1601}, 21617),
        ({"status_callback": "https://example.com/status"}, 21609),
        ({"status_callback": "http://127.0.0.1.example.com/status"}, 21609),
        ({"status_callback": "http://10.0.0.1/status"}, 21609),
        ({"status_callback": "file:///etc/passwd"}, 21609),
        ({"status_callback": "not a URL"}, 21609),
        ({"to": "+15005550001"}, 21211),
        ({"to": "+15005550002"}, 21612),
        ({"to": "+15005550003"}, 21408),
        ({"to": "+15005550004"}, 21610),
        ({"to": "+15005550009"}, 21614),
        ({"from_": "+15005550001"}, 21212),
        ({"from_": "+15005550007"}, 21606),
        ({"from_": "+15005550008"}, 21611),
    ],
)
def test_what_twilio_refuses_is_refused_and_in_the_ledger(
    sandbox: Sandbox, client: Client, parameters: dict[str, str], code: int
) -> None:
    error = refusal(client, **parameters)
    assert (error.code, error.status) == (code, 429 if code == 21611 else 400)
    entry = list(read_entries(sandbox.ledger))[-1]
    assert (entry.event, entry.code, entry.id, entry.to) == (
        "refused",
        code,
        None,
        parameters.get("to", "+12025550100") or None,
    )


def test_what_twilio_takes_is_taken(client: Client) -> None:
    for sender in ("12345", "Cadenza", "+442071838750"):
        assert client.messages.create(to="+12025550100", from_=sender, body="x" * 1600).sid
    for callback in ("http://localhost:1/", "https://127.0.0.2:1/x", "http://[::1]:1/"):
        assert client.messages.create(to="+12025550100", from_=SENDER, body="Hi", status_callback=callback).sid


def test_unsubscribed_numbers_are_21610(sandbox: Sandbox, client: Client) -> None:
    sandbox.client.set_unsubscribed(["+12025550110", "+12025550111"])
    assert sandbox.client.unsubscribed() == ["+12025550110", "+12025550111"]
    assert refusal(client, to="+12025550110").code == 21610
    sandbox.client.set_unsubscribed([])
    assert client.messages.create(to="+12025550110", from_=SENDER, body="Hi").sid


@pytest.mark.parametrize(
    ("body", "segments"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("a" * 152 + "€" + "a" * 152, 3),  # the escape and its character stay together
        ("я" * 70, 1),
        ("я" * 71, 2),
        ("я" * 134, 2),
        ("я" * 135, 3),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("á", 1),
    ],
)
def test_segments(body: str, segments: int) -> None:
    assert count_segments(body) == segments
