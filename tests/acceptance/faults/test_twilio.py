"""Scenarios 17 to 21: Twilio accepts and never answers, resets, fails, asks to slow down, and refuses."""

import itertools
from collections import Counter

import pytest
from act import Act
from stage import wait_for

from deploy.chaos.trap import Moment, Strike
from engine.outbox.pause import paused

POST = b"POST /2010-04-01/"


@pytest.mark.parametrize("callbacks", [True, False], ids=["told by a callback", "found by a look-up"])
def test_17_it_accepts_and_never_answers(act: Act, callbacks: bool) -> None:
    if not callbacks:
        act.stage.api_proxy.refuse()
    fault = act.stage.sandbox.client.add_fault("sms", "silence", "accepted", times=3)
    act.enroll(count=5)
    act.until(sent=5)
    act.judge(once=5)
    assert hits(act) == {fault.id: 3}
    assert len(act.attempts("fence")) == 5


def test_18_it_resets_before_it_has_read(act: Act) -> None:
    """Nobody can know that: the request may have arrived. It is looked up twice in vain, and sent."""
    trap = act.stage.sms_proxy.trap(POST, strike=Strike.RESET, moment=Moment.BEFORE, times=2)
    fault = act.stage.sandbox.client.add_fault("sms", "reset", "request", times=2)
    act.enroll(count=6)
    act.until(sent=6)
    act.judge(once=6)
    assert trap.struck == 2
    assert hits(act) == {fault.id: 2}
    assert Counter(act.attempts("outcome, looks"))["unanswered", 2] >= 4


def test_19_it_fails_with_and_without_accepting(act: Act) -> None:
    stage = act.stage
    stage.api_proxy.refuse()
    people = [act.next_event("sms") for _ in range(5)]
    for stage_of_it, person in zip(("request", "accepted", "request", "accepted"), people, strict=False):
        stage.sandbox.client.add_fault("sms", "reply", stage_of_it, status=500, times=1, to=person.phone)
    for person in people:
        act.enroll_event(person)
    act.until(sent=5)
    act.judge(once=5)
    assert set(hits(act).values()) == {1}
    tries = Counter(phone for (phone,) in act.attempts("recipient"))
    assert [tries[person.phone] for person in people[1:4:2]] == [1, 1]  # accepted: found, not sent again
    assert min(tries[person.phone] for person in people[0:4:2]) >= 2


def test_20_it_asks_to_slow_down_five_times(act: Act) -> None:
    """Whom it asks waits as long as it says; the others do not wait for that."""
    other = act.neighbour("other")
    slow = act.next_event("sms")
    fault = act.stage.sandbox.client.add_fault(
        "sms", "reply", status=429, code=20429, retry_after=1, times=5, to=slow.phone
    )
    act.enroll_event(slow)
    other.enroll(count=50)
    other.until(sent=50)
    act.until(sent=1)
    act.judge(once=51)
    assert hits(act) == {fault.id: 5}
    attempts = act.attempts("outcome, extract(epoch FROM started_at)::float8")
    assert [outcome for outcome, _ in attempts] == ["held"] * 5 + ["accepted"]
    moments = [moment for _, moment in attempts]
    assert all(later - earlier >= 1 for earlier, later in itertools.pairwise(moments))
    assert max(ended for (ended,) in other.attempts("extract(epoch FROM ended_at)::float8")) < moments[-1]


def test_21_it_refuses_a_number_for_good(act: Act) -> None:
    bad, gone = act.next_event("steps"), act.next_event("steps")
    act.stage.sandbox.client.add_fault("sms", "reply", status=400, code=21617, to=bad.phone)
    act.stage.sandbox.client.set_unsubscribed([str(gone.phone)])
    act.enroll_event(bad)
    act.enroll_event(gone)
    act.until(failed=2, pending=2, cancelled=2)
    assert [code for status, code in act.rows("status, error_code") if status == "failed"] == ["21617", "21610"]
    assert act.query("SELECT address FROM suppressions WHERE workspace_id = %s", act.workspace_id) == [(gone.phone,)]
    assert len(act.attempts("fence")) == 2  # neither was tried again
    act.jump(1.1)
    act.until(failed=2, sent=1, pending=1, cancelled=2)
    act.judge(once=1)


def test_21_it_refuses_the_credentials_until_they_are_mended(act: Act) -> None:
    """Nothing is wrong with the messages: their channel pauses, one of them tries now and then, and all go out."""
    client = act.stage.sandbox.client
    client.add_fault("sms", "reply", status=401, code=20003)
    act.enroll_many(300)
    act.enroll("email", count=5)
    wait_for(lambda: tries_of_one(act) >= 2, "one of them tries again")
    act.until(pending=300, sent=5)
    with act.stage.database.transaction() as session:
        assert [(one.channel, one.error_code) for one in paused(session, act.workspace_id)] == [("sms", "20003")]
    assert sum(hits(act).values()) < 100
    client.end_faults()
    act.until(sent=305)
    act.judge(once=305)
    assert {attempts for (attempts,) in act.rows("attempts")} == {0}


def tries_of_one(act: Act) -> int:
    """How often that row was tried that was tried most."""
    return max(Counter(act.attempts("outbox_id")).values(), default=0)


def hits(act: Act) -> dict[str, int]:
    """How often each fault has struck."""
    return {fault.id: fault.hits for fault in act.stage.sandbox.client.faults()}
