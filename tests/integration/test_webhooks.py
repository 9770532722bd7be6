"""Webhooks: told once, told again with the same key, and never in the way of anything else."""

import hmac
import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest
from people_at_work import until_step
from receiver import HANG, Call, Receiver, receiving
from stage_site import Site, wait_for

from deploy.audit import audit
from producers import signing

OPEN = {"webhook_allow": "127.0.0.0/8"}

IN_TRANSACTION = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid()
    AND backend_type = 'client backend'
"""


def telling(site: Site, url: str, more: str = "") -> None:
    site.world.publish(f"""
sequence: telling
steps:
  - key: tell
    type: action
    webhook:
      url: "{url}"
      body:
        name: "{{{{ contact.first_name }}}}"
        plan: "{{{{ custom.plan }}}}"
        n: 3
        "on": true
        list: ["{{{{ sequence.key }}}}"]
  - {{key: bye, type: sms, body: Bye}}
""")
    site.enroll("telling", first_name='Ana "Q"')


def told(site: Site) -> list[tuple[Any, ...]]:
    return site.world.rows("step_key, status, reason, attempts", "type = 'action'")


def attempts(site: Site) -> list[tuple[Any, ...]]:
    return site.world.query("SELECT outcome, error_code FROM attempts WHERE channel = 'action' ORDER BY fence")


def verified(site: Site, call: Call, secret: str | None = None) -> bool:
    """Computed as the specification says, by nothing of ours."""
    if secret is None:
        ((secret,),) = site.world.query("SELECT signing_secret FROM workspaces WHERE id = 1")
    signed = f"{call.headers['webhook-id']}.{call.headers['webhook-timestamp']}.".encode() + call.content
    key = b64decode(str(secret).removeprefix("whsec_"))
    expected = "v1," + b64encode(hmac.new(key, signed, sha256).digest()).decode()
    return expected in call.headers["webhook-signature"].split(" ")


def test_a_receiver_is_told_once_signed_and_in_json(site: Site) -> None:
    with receiving(204) as receiver, site.working(**OPEN):
        telling(site, receiver.url)
        until_step(site, "bye", "sent")
    (call,) = receiver.calls
    assert told(site) == [("tell", "done", "the receiver answered 204", 0)]
    assert verified(site, call)
    assert call.path == "/hook?a=1"
    assert call.headers["content-type"] == "application/json"
    assert call.headers["host"] == f"127.0.0.1:{receiver.port}"
    ((public_id, row_id, enrollment),) = site.world.query(
        "SELECT w.public_id, o.id, o.enrollment_id FROM outbox o JOIN workspaces w ON w.id = o.workspace_id"
        " WHERE o.type = 'action'"
    )
    assert call.key == call.headers["webhook-id"] == f"{public_id}.{row_id}"
    assert abs(int(call.headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 3_600
    document = json.loads(call.content)
    assert document.pop("timestamp").endswith("Z")
    assert document == {
        "type": "cadenza.step",
        "id": call.key,
        "workspace": {"id": public_id, "key": "default"},
        "sequence": {"key": "telling", "version": 1},
        "enrollment": {"id": enrollment},
        "step": {"key": "tell"},
        "contact": {
            "external_id": None,
            "email": "user1@example.com",
            "phone": "+12025550001",
            "first_name": 'Ana "Q"',
            "last_name": None,
            "timezone": None,
        },
        "body": {"name": 'Ana "Q"', "plan": "", "n": 3, "on": True, "list": ["telling"]},
    }
    assert audit(site.world.database, site.sandbox.ledger).clean


@pytest.mark.parametrize(
    ("answers", "outcomes", "tries"),
    [
        ((500, 200), [("deferred", "500"), ("accepted", None)], 1),
        (((429, {"Retry-After": "0"}), 200), [("held", "429"), ("accepted", None)], 0),
    ],
)
def test_a_call_that_was_not_taken_is_repeated_as_it_was(
    site: Site, answers: tuple[Any, ...], outcomes: list[Any], tries: int
) -> None:
    with receiving(*answers) as receiver, site.working(**OPEN):
        telling(site, receiver.url)
        until_step(site, "bye", "sent")
    first, second = receiver.calls
    assert first.key == second.key
    assert first.content == second.content
    assert verified(site, first)
    assert verified(site, second)
    assert attempts(site) == outcomes
    assert told(site) == [("tell", "done", "the receiver answered 200", tries)]


def test_retry_after_is_honoured(site: Site) -> None:
    with receiving((429, {"Retry-After": "600"})) as receiver, site.working(**OPEN):
        telling(site, receiver.url)
        wait_for(lambda: bool(attempts(site)) and attempts(site)[0][0] == "held", lambda: told(site))
        wait_for(lambda: told(site)[0][1] == "pending", lambda: told(site))
    ((seconds,),) = site.world.query(
        "SELECT date_part('epoch', o.retry_at - a.ended_at) FROM outbox o JOIN attempts a ON a.outbox_id = o.id"
        " WHERE o.type = 'action'"
    )
    assert 599 < seconds < 662
    assert len(receiver.calls) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (404, "the receiver answered 404"),
        ((302, {"Location": "http://127.0.0.1:1/"}), "the receiver answered 302: no redirect is followed"),
    ],
)
def test_what_is_refused_for_good_fails_and_the_sequence_goes_on(site: Site, answer: Any, reason: str) -> None:
    with receiving(answer) as receiver, site.working(**OPEN):
        telling(site, receiver.url)
        until_step(site, "bye", "sent")
    assert told(site) == [("tell", "failed", reason, 0)]
    assert len(receiver.calls) == 1


def test_tries_are_used_up(site: Site) -> None:
    with receiving(503) as receiver, site.working(**OPEN):
        telling(site, receiver.url)
        until_step(site, "bye", "sent")
    assert told(site) == [("tell", "failed", "tries_used_up", 3)]
    assert len(set(receiver.keys())) == 1
    assert len(receiver.calls) == 3


def test_nobody_waits_for_a_receiver_that_hangs(site: Site) -> None:
    """More calls than there are threads hang; messages, other gates and other receivers go on."""
    with (
        receiving(HANG) as slow,
        receiving(200) as fast,
        site.working(**OPEN, provider_timeout_seconds=25, lease_seconds=60),
    ):
        site.world.publish(f"""
sequence: slow
steps:
  - {{key: hang, type: action, webhook: {{url: "http://127.0.0.1:{slow.port}/"}}}}
""")
        site.enroll("slow", count=12)
        wait_for(lambda: len(slow.calls) >= 4, lambda: len(slow.calls))
        site.world.publish(f"""
sequence: quick
steps:
  - {{key: mark, type: action, tag: marked}}
  - {{key: tell, type: action, webhook: {{url: "http://127.0.0.1:{fast.port}/"}}}}
  - {{key: bye, type: sms, body: Bye}}
""")
        site.enroll("quick", count=3)
        until_step(site, "bye", "sent")
        assert len(slow.calls) == 4
        assert len(fast.calls) == 3
        wait_for(lambda: site.world.query(IN_TRANSACTION) == [(0,)], "no transaction is open while calls hang")
        slow.over.set()


def test_a_call_that_nobody_answers_is_repeated_with_its_key(site: Site) -> None:
    with receiving(HANG, 200) as receiver, site.working(**OPEN, provider_timeout_seconds=1):
        telling(site, receiver.url)
        until_step(site, "bye", "sent")
        receiver.over.set()
    first, second = receiver.calls
    assert (first.key, first.content) == (second.key, second.content)
    assert attempts(site) == [("unanswered", None), ("accepted", None)]
    assert told(site) == [("tell", "done", "the receiver answered 200", 1)]


def begun_and_lost(site: Site, receiver: Receiver) -> None:
    """A worker makes the call, and is lost before it can write down what was answered."""
    with site.working(**OPEN, provider_timeout_seconds=20, lease_seconds=60):
        telling(site, receiver.url)
        wait_for(lambda: len(receiver.calls) == 1, lambda: told(site))
        site.world.execute("UPDATE outbox SET lease_until = clock_timestamp() WHERE type = 'action'")
        wait_for(lambda: len(receiver.calls) == 2, lambda: told(site))
        until_step(site, "bye", "sent")


def test_a_call_whose_worker_was_lost_is_repeated_with_its_key(site: Site) -> None:
    with receiving(HANG, 200) as receiver:
        begun_and_lost(site, receiver)
    first, second = receiver.calls
    assert (first.key, first.content) == (second.key, second.content)
    assert told(site) == [("tell", "done", "the receiver answered 200", 0)]
    assert site.world.query("SELECT was, became, reason FROM history WHERE made_by = 'sweeper'") == [
        ("sending", "pending", "the worker was lost: the webhook is called again, with the same key")
    ]


def test_a_receiver_that_is_away_uses_no_try(site: Site) -> None:
    with receiving(200) as receiver:
        pass
    with site.working(**OPEN):
        telling(site, receiver.url)
        wait_for(lambda: len(attempts(site)) >= 2, lambda: told(site))
    assert {outcome for outcome, _ in attempts(site)} == {"held"}
    ((_, status, _, tries),) = told(site)
    assert (status, tries) == ("pending", 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]"])
def test_what_is_not_public_is_not_called(site: Site, host: str) -> None:
    with receiving(200) as receiver, site.working():
        telling(site, f"http://{host}:{receiver.port}/")
        until_step(site, "bye", "sent")
    assert receiver.calls == []
    ((_, status, reason, _),) = told(site)
    assert status == "failed"
    assert "is an address of this machine itself" in reason
    assert reason.endswith("only public addresses are called")


def test_both_secrets_sign_while_receivers_learn_the_new_one(site: Site) -> None:
    with site.world.database.transaction() as session:
        before = signing.read(session, 1)
        after = signing.rotate(session, 1)
    assert before != after
    with receiving(200) as receiver, site.working(**OPEN):
        telling(site, receiver.url)
        until_step(site, "bye", "sent")
    (call,) = receiver.calls
    assert verified(site, call, before)
    assert verified(site, call, after)
    assert len(call.headers["webhook-signature"].split(" ")) == 2


def test_a_cancelled_enrollment_tells_nobody(site: Site) -> None:
    with receiving(200) as receiver:
        telling(site, receiver.url)
        site.world.execute(
            "UPDATE enrollments SET status = 'cancelled', exit_reason = 'operator', cancelled_at = sequence_now()"
        )
        site.enroll("telling")
        with site.working(**OPEN):
            wait_for(lambda: site.world.statuses()[2:] == ["done", "sent"], site.world.rows)
    assert len(receiver.calls) == 1
