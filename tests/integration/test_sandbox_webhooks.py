"""The sandbox as Twilio: it tells of inbound messages, and its status callbacks misbehave on request."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

import pytest
from pydantic import SecretStr
from stage_site import GENEROUS, wait_for
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client
from twilio_side import TwilioSide, api
from world import World

from deploy.sandbox.client import SandboxClient
from deploy.sandbox.options import SENDER, SandboxOptions
from deploy.sandbox.process import LOG_FILE, SandboxProcess, start_sandbox
from deploy.sandbox.settings import with_sandbox
from engine.errors import InvalidInput
from engine.outbox.settle import Ending, settle
from engine.rules.token import status_callback_url
from engine.settings import Settings
from schema.states import RowStatus
from workers import process
from workers.channels import open_channels

ANA = "+12025550101"


@dataclass
class Stage:
    """A sandbox, and the API that it calls."""

    process: SandboxProcess
    world: World
    twilio: TwilioSide

    @property
    def client(self) -> SandboxClient:
        return self.process.client

    @property
    def inbound_url(self) -> str:
        return f"{self.twilio.url}/webhooks/twilio/{self.twilio.workspace}/inbound"

    def send_one(self) -> int:
        """Send a row's message with the attempt's token, and settle it; give the row."""
        self.world.enroll()
        (row,) = self.world.begin(self.world.ids("step_order = 1 AND status = 'pending'"))
        ((public_id, secret),) = self.world.query("SELECT public_id, webhook_secret FROM workspaces")
        callback = status_callback_url(self.twilio.url, public_id, secret, row.id, row.fence)
        http = TwilioHttpClient(timeout=10)
        http.session.trust_env = False
        sandbox = self.process.sandbox
        client = Client(sandbox.account_sid, sandbox.auth_token, http_client=http)
        client.api.base_url = sandbox.http_url
        sid = client.messages.create(to=row.phone or "", from_=SENDER, body="Hi", status_callback=callback).sid
        http.session.close()
        with self.world.database.transaction() as session:
            settle(session, [Ending(row.id, row.fence, "sms", RowStatus.SENT, outcome="accepted", provider_id=sid)])
        return row.id

    def wait_for_callbacks(self) -> dict[str, int]:
        """Wait until all have been posted; give the counts."""
        deadline = time.monotonic() + 30
        while (counts := self.client.callbacks())["waiting"] and time.monotonic() < deadline:
            time.sleep(0.02)
        return counts


@pytest.fixture
def stage(settings: Settings, world: World, tmp_path: Path) -> Iterator[Stage]:
    ((public_id,),) = world.query("SELECT public_id FROM workspaces")
    options = SandboxOptions(data_dir=tmp_path, sent_after=0.1, delivered_after=0.3)
    with start_sandbox(options) as process:
        sandbox = process.sandbox
        account = {"twilio_account_sid": sandbox.account_sid, "twilio_auth_token": SecretStr(sandbox.auth_token)}
        # The sandbox calls where the API listens: that is the public URL then.
        with api(settings.model_copy(update=account), public_id, twilio_is_here=True) as twilio:
            yield Stage(process, world, twilio)
    assert (tmp_path / LOG_FILE).read_text() == ""


def delivery(stage: Stage) -> list[tuple[str, str | None, str | None]]:
    return stage.world.rows("status, delivery_status, error_code", "step_order = 1")


def test_what_the_sandbox_tells_arrives(stage: Stage) -> None:
    row_id = stage.send_one()
    assert stage.wait_for_callbacks() == {"waiting": 0, "answered": 2, "refused": 0, "unanswered": 0}
    assert delivery(stage) == [("sent", "delivered", None)]
    told = stage.world.query("SELECT status, outbox_id FROM events ORDER BY status")
    assert told == [("delivered", row_id), ("sent", row_id)]


def test_reordered_repeated_and_forged_callbacks_change_nothing(stage: Stage) -> None:
    stage.client.set_callbacks(reorder=True, repeat=3, forge=True)
    stage.send_one()
    assert stage.wait_for_callbacks() == {"waiting": 0, "answered": 6, "refused": 6, "unanswered": 0}
    assert delivery(stage) == [("sent", "delivered", None)]
    assert stage.world.query("SELECT status FROM events ORDER BY status") == [("delivered",), ("sent",)]
    assert stage.world.query("SELECT count(*) FROM suppressions") == [(0,)]
    stage.client.set_callbacks()
    stage.send_one()
    assert stage.wait_for_callbacks() == {"waiting": 0, "answered": 8, "refused": 6, "unanswered": 0}


def test_somebody_writes(stage: Stage) -> None:
    stage.world.enroll(phone=ANA)
    told = stage.client.inbound(ANA, "Stop, please", stage.inbound_url, repeat=3)
    assert [answer.status for answer in told.answers if answer] == [200] * 3
    assert stage.world.query("SELECT address, reason FROM suppressions") == [(ANA, "stop")]
    assert stage.world.query("SELECT status, provider_id FROM events") == [("stop", told.sid)]
    assert stage.world.statuses() == ["cancelled"] * 3
    assert stage.client.inbound(ANA, "YES", stage.inbound_url).answers[0]
    assert stage.world.query("SELECT count(*) FROM suppressions") == [(0,)]
    stage.client.inbound(ANA, "STOP", stage.inbound_url, sid=told.sid)
    stage.client.inbound(ANA, "Hola", stage.inbound_url, opt_out_type="HELP")
    assert stage.world.query("SELECT count(*) FROM suppressions") == [(0,)]


def test_a_forged_message_is_refused(stage: Stage) -> None:
    told = stage.client.inbound(ANA, "STOP", stage.inbound_url, forge=True)
    (answer,) = told.answers
    assert answer is not None
    assert (answer.status, answer.body) == (403, "forbidden\n")
    assert stage.world.query("SELECT count(*) FROM events") == [(0,)]


def test_nobody_there(stage: Stage) -> None:
    assert stage.client.inbound(ANA, "STOP", "http://127.0.0.1:1/").answers == [None]


def test_what_it_can_not_do_is_refused(stage: Stage) -> None:
    with pytest.raises(InvalidInput, match="loopback addresses only"):
        stage.client.inbound(ANA, "STOP", "http://example.com/")
    with pytest.raises(InvalidInput, match="repeat"):
        stage.client.inbound(ANA, "STOP", stage.inbound_url, repeat=0)
    with pytest.raises(InvalidInput, match="from"):
        stage.client.inbound("", "STOP", stage.inbound_url)
    with pytest.raises(InvalidInput, match="1 to 100"):
        stage.client.set_callbacks(repeat=101)
    with pytest.raises(InvalidInput, match="lose"):
        stage.client.set_callbacks(lose=True)


def test_what_a_worker_sends_is_followed(stage: Stage, settings: Settings) -> None:
    """From the claim to the last callback: the worker puts the attempt's token into the URL."""
    working = with_sandbox(settings, stage.process.sandbox).model_copy(update={"public_url": stage.twilio.url})
    stop = Event()
    thread = Thread(target=process.run, args=(working, 1, open_channels(working), stop))
    thread.start()
    try:
        stage.world.enroll(count=3)
        wait_for(lambda: delivery(stage) == [("sent", "delivered", None)] * 3, lambda: delivery(stage))
    finally:
        stop.set()
        thread.join(GENEROUS)
    told = "SELECT count(*) FROM events e JOIN attempts a ON (a.outbox_id, a.fence) = (e.outbox_id, e.fence)"
    assert stage.world.query(told) == [(6,)]
