"""Scenarios 17 to 22: providers that accept and never answer, reset, fail, slow down, refuse, and drop."""

import itertools

import pytest
from stage import SMS, Play, wait_for

from deploy.chaos.trap import Moment, Strike
from deploy.sandbox.ledger import read_entries

DOT = b"\r\n.\r\n"
POST = b"POST /2010-04-01/"


def test_17_it_accepts_and_never_answers(play: Play) -> None:
    play.stage.sandbox.client.add_fault("sms", "silence", "accepted", times=3)
    play.enroll(count=5)
    play.stage.workers()
    play.until(sent=5)
    play.judge(once=5)


@pytest.mark.parametrize("stage_of_it", ["connect", "request"])
def test_18_it_resets_before_it_accepts(play: Play, stage_of_it: str) -> None:
    play.stage.sandbox.client.add_fault("sms", "reset", stage_of_it, times=2)
    play.enroll(count=5)
    play.stage.workers()
    play.until(sent=5)
    play.judge(once=5)


@pytest.mark.parametrize("stage_of_it", ["request", "accepted"])
def test_19_it_fails_with_and_without_accepting(play: Play, stage_of_it: str) -> None:
    play.stage.sandbox.client.add_fault("sms", "reply", stage_of_it, status=500, times=2)
    play.enroll(count=5)
    play.stage.workers()
    play.until(sent=5)
    play.judge(once=5)


def test_20_it_asks_to_slow_down_five_times(play: Play) -> None:
    """Whom it asks waits as long as it says; the others are on time."""
    stage = play.stage
    ((other,),) = play.query("INSERT INTO workspaces (key, name) VALUES ('other', 'Other') RETURNING id")
    play.publish(SMS, other)
    slow = play.next_event("sms")
    fault = stage.sandbox.client.add_fault(
        "sms", "reply", status=429, code=20429, retry_after=1, times=5, to=slow.phone
    )
    play.enroll_event(slow)
    play.enroll(count=50, workspace="other")
    stage.workers()
    play.until(sent=51)
    play.judge(once=51)
    assert {report.id: report.hits for report in stage.sandbox.client.faults()} == {fault.id: 5}
    attempts = play.query(
        "SELECT a.outcome, extract(epoch FROM a.started_at)::float8 FROM attempts a JOIN outbox o ON o.id = a.outbox_id"
        " WHERE o.workspace_id = 1 ORDER BY a.fence"
    )
    assert [outcome for outcome, _ in attempts] == ["held"] * 5 + ["accepted"]
    moments = [moment for _, moment in attempts]
    assert all(later - earlier >= 1 for earlier, later in itertools.pairwise(moments))
    ((last,),) = play.query(
        "SELECT extract(epoch FROM max(a.ended_at))::float8 FROM attempts a WHERE a.workspace_id = %s", other
    )
    assert last < moments[-1]  # nobody waited for the slow one


def test_21_it_refuses_a_number_for_good(play: Play) -> None:
    stage = play.stage
    bad, gone = play.next_event("steps"), play.next_event("steps")
    stage.sandbox.client.add_fault("sms", "reply", status=400, code=21211, to=bad.phone)
    stage.sandbox.client.set_unsubscribed([str(gone.phone)])
    play.enroll_event(bad)
    play.enroll_event(gone)
    stage.workers()
    play.until(failed=2, pending=2, cancelled=2)
    assert play.query("SELECT error_code FROM outbox WHERE status = 'failed' ORDER BY id") == [("21211",), ("21610",)]
    assert play.query("SELECT address FROM suppressions") == [(gone.phone,)]
    assert play.query("SELECT count(*) FROM attempts") == [(2,)]
    play.jump(1.1)
    play.until(failed=2, sent=1, pending=1, cancelled=2)
    play.judge(once=1)


def test_21_it_refuses_our_credentials_for_a_while(play: Play) -> None:
    stage = play.stage
    stage.sandbox.client.add_fault("sms", "reply", status=401, code=20003)
    play.enroll(count=5)
    stage.workers()
    wait_for(lambda: play.query("SELECT count(*) >= 5 FROM attempts") == [(True,)], "all are refused")
    stage.sandbox.client.end_faults()
    play.until(sent=5)
    play.judge(once=5)
    assert play.query("SELECT DISTINCT attempts FROM outbox") == [(0,)]


@pytest.mark.parametrize("strike", [Strike.CUT, Strike.RESET, Strike.STALL])
def test_22_dropped_after_the_dot_at_most_once(play: Play, strike: Strike) -> None:
    play.stage.smtp_proxy.trap(DOT, strike=strike)
    play.enroll("email", count=3)
    play.stage.workers()
    play.until(sent=2, review=1)
    assert len(play.accepted()) == 3
    play.judge(once=3)


@pytest.mark.parametrize("moment", [Moment.BEFORE, Moment.ANSWERED], ids=["not accepted", "accepted"])
def test_22_dropped_after_the_dot_at_least_once(play: Play, moment: Moment) -> None:
    play.stage.smtp_proxy.trap(DOT, strike=Strike.CUT, moment=moment)
    play.enroll("email", count=3)
    play.stage.workers(smtp_guarantee="at_least_once")
    play.until(sent=3)
    accepted = play.accepted()
    messages = {(entry.id, entry.to, entry.raw) for entry in accepted}
    assert len(messages) == 3  # sent once more with the same Message-ID and the same bytes
    assert len(accepted) == (4 if moment is Moment.ANSWERED else 3)


def test_22_dropped_before_the_dot(play: Play) -> None:
    """No doubt at all: it was not sent, so it is sent again, whatever was chosen."""
    play.stage.smtp_proxy.trap(b"DATA\r\n", b"Subject:", strike=Strike.RESET, moment=Moment.BEFORE)
    play.enroll("email", count=3)
    play.stage.workers()
    play.until(sent=3)
    play.judge(once=3)


def test_22_refused_at_the_recipient(play: Play) -> None:
    stage = play.stage
    later, never = play.next_event("email"), play.next_event("email")
    stage.sandbox.client.add_fault("email", "reply", "rcpt", code=451, text="4.3.0 later", times=1, to=later.email)
    stage.sandbox.client.add_fault("email", "reply", "rcpt", code=550, text="5.1.1 nobody", to=never.email)
    play.enroll_event(later)
    play.enroll_event(never)
    stage.workers()
    play.until(sent=1, failed=1)
    play.judge(once=1)
    refused = [entry.to for entry in read_entries(stage.sandbox.sandbox.ledger) if entry.event == "refused"]
    assert sorted(map(str, refused)) == sorted([str(later.email), str(never.email)])
