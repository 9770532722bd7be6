"""Scenario 24, its first half: STOP before the claim, between claim and hand-over, and while it is sent."""

import time

from act import Act, mention
from stage import COMMIT, wait_for

from deploy.chaos.trap import Strike
from workers.delivery.hand_over import FRESH

HOUR = 1 / 24


def test_24_stop_before_the_claim(act: Act) -> None:
    stops, stays = act.next_event("steps"), act.next_event("steps")
    with act.frozen():
        act.enroll_event(stops)
        act.enroll_event(stays)
        assert act.say(stops.phone, "Stop.") == 200
    act.until(cancelled=3, sent=1, pending=2)
    act.judge(once=1)
    assert act.attempts("recipient") == [(stays.phone,)]


def test_24_stop_between_claim_and_hand_over(act: Act) -> None:
    """Begun, and its worker held up, when the STOP is stored: it looks again, and hands nothing over."""
    (row_id,) = act.enroll_for_later()
    trap = act.stage.postgres_proxy.trap(mention(row_id), COMMIT, strike=Strike.STALL)
    act.jump(HOUR)
    assert trap.wait(60)
    held_up = time.monotonic()
    assert act.statuses() == {"sending": 1}
    ((phone,),) = act.query("SELECT phone FROM contacts WHERE workspace_id = %s", act.workspace_id)
    assert act.say(phone, "STOP") == 200
    wait_for(lambda: time.monotonic() > held_up + FRESH, "what was begun is not fresh any more")
    act.stage.postgres_proxy.release()
    act.until(cancelled=1)
    act.judge(once=0)
    assert act.attempts("outcome") == [("held",)]


def test_24_stop_while_it_is_sent(act: Act) -> None:
    """What is in flight can't be called back; nothing follows it."""
    for number in range(20):
        act.publish(f'sequence: s{number}\nsteps: [{{key: only, type: sms, body: "Number {number}"}}]')
    act.stage.sms_proxy.stall()
    who = act.next_event("s0")
    for number in range(20):
        act.enroll_event(act.same(who, f"s{number}"))
    wait_for(lambda: len(act.attempts("fence")) >= act.stage.settings.in_flight, "as many are in flight as may be")
    assert act.say(who.phone, "unsubscribe") == 200
    in_flight = act.attempts("outbox_id")
    act.stage.sms_proxy.release()
    wait_for(lambda: act.statuses().keys() <= {"sent", "cancelled"}, "nothing moves any more")
    assert set(act.attempts("outbox_id")) == set(in_flight)
    act.judge(once=act.statuses()["sent"])


def test_24_stop_and_start_again(act: Act) -> None:
    (person,) = [act.next_event("steps")]
    act.enroll_event(person)
    act.until(sent=1, pending=2)
    for said, suppressed in (("Don't stop!", 0), ("take me off your list", 1), ("START", 0)):
        assert act.say(person.phone, said) == 200
        now = act.query("SELECT count(*) FROM suppressions WHERE workspace_id = %s", act.workspace_id)
        assert now == [(suppressed,)]
    act.until(sent=1, cancelled=2)
    act.jump(2)
    act.enroll_event(act.same(person, "sms"))
    act.until(sent=2, cancelled=2)
    act.judge(once=2)
