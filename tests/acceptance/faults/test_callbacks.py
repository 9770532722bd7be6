"""Scenario 23: callbacks in any order, repeated, before the answer, forged, and of another workspace."""

import urllib.error
import urllib.request
from urllib.parse import urlencode

from act import Act
from stage import wait_for
from twilio.request_validator import RequestValidator

from deploy.chaos.trap import Moment, Strike
from engine.rules.token import status_callback_url

POST = b"POST /2010-04-01/"


def test_23_reordered_repeated_and_forged(act: Act) -> None:
    client = act.stage.sandbox.client
    wait_for(lambda: client.callbacks()["waiting"] == 0, "those of others are posted")
    before = client.callbacks()
    client.set_callbacks(reorder=True, repeat=3, forge=True)
    act.enroll(count=10)
    act.until(sent=10)
    wait_for(lambda: client.callbacks()["waiting"] == 0, "all callbacks are posted")
    after = client.callbacks()
    assert {name: after[name] - before[name] for name in after} == {
        "waiting": 0,
        "answered": 60,
        "refused": 60,
        "unanswered": 0,
    }
    assert set(act.rows("delivery_status")) == {("delivered",)}
    assert set(act.rows("error_code")) == {(None,)}
    events = act.query("SELECT status, count(*) FROM events WHERE workspace_id = %s GROUP BY 1", act.workspace_id)
    assert dict(events) == {"delivered": 10, "sent": 10}
    act.judge(once=10)


def test_23_before_the_answer(act: Act) -> None:
    """The callback settles the row; the answer that comes later changes nothing."""
    trap = act.stage.sms_proxy.trap(POST, strike=Strike.STALL)
    act.enroll()
    assert trap.wait(60)
    act.until(sent=1)
    act.stage.sms_proxy.release()
    wait_for(lambda: act.rows("delivery_status") == [("delivered",)], "all is told")
    act.judge(once=1)
    assert act.attempts("outcome") == [("accepted",)]


def test_23_forged_and_of_another_workspace(act: Act) -> None:
    """Somebody says that a message was sent which was not: it is refused, and the message is not lost by it."""
    other = act.neighbour("act-other")
    act.stage.sms_proxy.trap(POST, strike=Strike.RESET, moment=Moment.BEFORE)
    act.enroll()
    act.until(unknown=1)
    ours, theirs, guessed = (
        status_callback_url(str(act.stage.settings.public_url), place.public_id, secret_of(key), *attempt)
        for place, key, attempt in (
            (act, act, act.attempts("outbox_id, fence")[0]),
            (other, act, act.attempts("outbox_id, fence")[0]),
            (act, other, act.attempts("outbox_id, fence")[0]),
        )
    )
    assert post(act, ours, token="somebody else's") == 403
    assert post(act, ours, AccountSid="AC" + "0" * 32) == 403
    assert post(act, theirs) == 403
    assert post(act, guessed) == 403
    act.until(sent=1)
    act.judge(once=1)


def secret_of(act: Act) -> str:
    """What signs the tokens of a workspace."""
    ((secret,),) = act.query("SELECT webhook_secret FROM workspaces WHERE id = %s", act.workspace_id)
    return str(secret)


def post(act: Act, url: str, token: str | None = None, **fields: str) -> int:
    """Say with a signature of Twilio's, or one made with another token, that a message was sent; tell the answer."""
    form = {
        "AccountSid": act.stage.sandbox.sandbox.account_sid,
        "MessageSid": "SM" + "0" * 32,
        "MessageStatus": "sent",
        "To": act.attempts("recipient")[0][0],
        **fields,
    }
    signature = RequestValidator(token or act.stage.sandbox.sandbox.auth_token).compute_signature(url, form)
    request = urllib.request.Request(url, urlencode(form).encode(), {"X-Twilio-Signature": signature})  # noqa: S310 (on loopback)
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code
