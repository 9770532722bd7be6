"""Scenarios 23 and 24: callbacks in any order, repeated and forged; STOP at every moment; clocks that are wrong."""

import time
import urllib.error
import urllib.request
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from stage import COMMIT, Play, begins, wait_for, wrong_clock
from twilio.request_validator import RequestValidator

from deploy.chaos.trap import Strike
from engine.outbox.claim import CLAIM

POST = b"POST /2010-04-01/"
TWO_HOURS = 7_200.0

SKEW = """
CREATE SCHEMA skewed;
CREATE TABLE skewed.shift (seconds double precision NOT NULL);
INSERT INTO skewed.shift VALUES (0);
CREATE FUNCTION skewed.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
    'SELECT pg_catalog.clock_timestamp() + make_interval(secs => (SELECT seconds FROM skewed.shift))';
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET search_path = skewed, pg_catalog, public', current_database());
END $$
"""


def test_23_callbacks_reordered_repeated_and_forged(play: Play) -> None:
    stage = play.stage
    stage.api()
    stage.sandbox.client.set_callbacks(reorder=True, repeat=3, forge=True)
    play.enroll(count=10)
    stage.workers()
    play.until(sent=10)
    wait_for(lambda: stage.sandbox.client.callbacks()["waiting"] == 0, "all callbacks are posted")
    assert stage.sandbox.client.callbacks() == {"waiting": 0, "answered": 60, "refused": 60, "unanswered": 0}
    assert play.query("SELECT DISTINCT delivery_status FROM outbox") == [("delivered",)]
    assert play.query("SELECT status, count(*) FROM events GROUP BY 1 ORDER BY 1") == [("delivered", 10), ("sent", 10)]
    play.judge(once=10)


def test_23_callbacks_before_the_answer(play: Play) -> None:
    """The callback settles the row; the answer that comes later changes nothing."""
    stage = play.stage
    stage.api()
    trap = stage.sms_proxy.trap(POST, strike=Strike.STALL)
    play.enroll()
    workers = stage.workers(lease_seconds=60)
    assert trap.wait(60)
    play.until(sent=1)
    stage.sms_proxy.release()
    assert workers.terminate() == 0
    play.judge(once=1)
    assert play.query("SELECT outcome FROM attempts") == [("accepted",)]


def test_23_callbacks_of_another_workspace(play: Play) -> None:
    """Signed by Twilio, with a token of one workspace at the address of another: 403, and nothing changes."""
    stage = play.stage
    api = stage.api()
    ((other,),) = play.query("INSERT INTO workspaces (key, name) VALUES ('other', 'Other') RETURNING public_id")
    stage.sandbox.client.set_callbacks(reorder=False)
    play.enroll()
    stage.workers()
    play.until(sent=1)
    (entry,) = play.accepted()
    ours = urlsplit(str(entry.status_callback))
    token = parse_qs(ours.query)["attempt"][0]
    theirs = f"{ours.scheme}://{ours.netloc}/webhooks/twilio/{other}/status?attempt={token}"
    form = {
        "AccountSid": stage.sandbox.sandbox.account_sid,
        "MessageSid": str(entry.id),
        "MessageStatus": "failed",
        "To": str(entry.to),
    }
    assert post(play, theirs, form) == 403
    assert post(play, ours.geturl(), form, token="somebody else's") == 403
    wait_for(lambda: play.query("SELECT delivery_status FROM outbox") == [("delivered",)], "what is true")
    play.judge(once=1)
    assert api.running


def test_24_stop_before_the_claim(play: Play) -> None:
    stage = play.stage
    stage.api()
    play.enroll("steps", count=2)
    assert say(play, "+12015550001", "Stop.") == 200
    stage.workers()
    play.until(cancelled=3, sent=1, pending=2)
    play.judge(once=1)
    assert [entry.to for entry in play.accepted()] == ["+12015550002"]


def test_24_stop_between_claim_and_hand_over(play: Play) -> None:
    """Claimed and not begun when the STOP is stored: nothing is handed over."""
    stage = play.stage
    stage.api()
    trap = stage.postgres_proxy.trap(begins(CLAIM), COMMIT, strike=Strike.STALL)
    play.enroll("steps")
    stage.workers(lease_seconds=60)
    assert trap.wait(60)
    assert say(play, "+12015550001", "STOP") == 200
    stage.postgres_proxy.release()
    play.until(cancelled=3)
    play.judge(once=0)


def test_24_stop_while_it_is_sent(play: Play) -> None:
    """What is in flight can't be called back; nothing follows it."""
    stage = play.stage
    stage.api()
    for number in range(20):
        play.publish(f'sequence: s{number}\nsteps: [{{key: only, type: sms, body: "Number {number}"}}]')
    trap = stage.sms_proxy.trap(POST, strike=Strike.STALL)
    who = play.next_event("s0")
    for number in range(20):
        play.enroll_event(play.same(who, f"s{number}"))
    stage.workers(in_flight=1, lease_seconds=60)
    assert trap.wait(60)
    assert say(play, str(who.phone), "unsubscribe") == 200
    stage.sms_proxy.release()
    play.until(sent=1, cancelled=19)
    play.judge(once=1)


def test_24_stop_and_start_again(play: Play) -> None:
    stage = play.stage
    stage.api()
    play.enroll("steps")
    stage.workers()
    play.until(sent=1, pending=2)
    for said, suppressed in (("Don't stop!", 0), ("take me off your list", 1), ("START", 0)):
        assert say(play, "+12015550001", said) == 200
        assert play.query("SELECT count(*) FROM suppressions") == [(suppressed,)]
    play.until(sent=1, cancelled=2)
    play.judge(once=1)


@pytest.mark.parametrize("wrong_by", [TWO_HOURS, -TWO_HOURS])
def test_24_a_worker_whose_clock_is_wrong(play: Play, wrong_by: float) -> None:
    """It says so and sends nothing; the others do, and nothing goes out early."""
    stage = play.stage
    wrong = stage.workers(also=wrong_clock(wrong_by))
    wrong.wait_for_children()
    play.enroll("steps", count=5)
    wait_for(lambda: "clock" in wrong.log.read_text(), "it complains")
    assert play.statuses() == {"pending": 15}
    stage.workers()
    play.until(sent=5, pending=10)
    play.jump(1)
    play.until(sent=10, pending=5)
    play.judge(once=10)


@pytest.mark.parametrize("wrong_by", [TWO_HOURS, -TWO_HOURS])
def test_24_a_database_whose_clock_jumps(play: Play, wrong_by: float) -> None:
    """Leases end too soon, or late; schedules seem to be due. Dispatch stops until the clock is right again."""
    stage = play.stage
    play.execute(SKEW)
    play.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid()"
    )  # so that every session has the new search path
    play.publish('sequence: soon\nsteps: [{key: only, type: sms, delay: 1 hour, body: "Soon"}]')
    play.enroll("steps", count=5)
    play.enroll("soon", count=5)
    workers = stage.workers()
    play.until(sent=5, pending=15)
    play.execute("UPDATE skewed.shift SET seconds = %s", wrong_by)
    wait_for(lambda: "clock" in workers.log.read_text(), "it complains")
    play.enroll("sms", count=5)
    time.sleep(3)  # time enough to send them, were dispatch not stopped
    assert play.statuses() == {"sent": 5, "pending": 20}
    play.execute("UPDATE skewed.shift SET seconds = 0")
    play.until(sent=10, pending=15)
    play.judge(once=10)


def say(play: Play, sender: str, text: str) -> int:
    """Let somebody write to us; tell what the webhook answered."""
    ((public_id,),) = play.query("SELECT public_id FROM workspaces WHERE key = 'default'")
    url = f"{play.stage.settings.public_url}/webhooks/twilio/{public_id}/inbound"
    (answer,) = play.stage.sandbox.client.inbound(sender, text, url).answers
    assert answer is not None
    return answer.status


def post(play: Play, url: str, form: dict[str, str], token: str | None = None) -> int:
    """Call a webhook with Twilio's signature, or one made with another token; tell the HTTP status."""
    validator = RequestValidator(token or play.stage.sandbox.sandbox.auth_token)
    request = urllib.request.Request(  # noqa: S310 (an address on loopback)
        url, urlencode(form).encode(), {"X-Twilio-Signature": validator.compute_signature(url, form)}
    )
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code
