"""Scenario 22: a mail server that drops before and after the final dot, defers and refuses."""

from collections import Counter

import pytest
from act import Act

from deploy.audit import Kind
from deploy.chaos.trap import Moment, Strike
from deploy.sandbox.ledger import read_entries

#: The last line of a message; the dot itself comes in a packet of its own.
DOT = b"\r\n.\r\n"


def test_22_dropped_after_the_dot_at_most_once(act: Act) -> None:
    """Nobody knows whether it was accepted, so nobody gets it twice: a person decides."""
    for strike in (Strike.CUT, Strike.RESET, Strike.STALL):
        act.stage.smtp_proxy.trap(DOT, strike=strike)
    act.enroll("email", count=6)
    act.until(sent=3, review=3)
    act.judge(once=6)


@pytest.mark.parametrize("moment", [Moment.BEFORE, Moment.ANSWERED], ids=["not accepted", "accepted"])
def test_22_dropped_after_the_dot_at_least_once(act: Act, moment: Moment) -> None:
    """It is sent once more, and a mailbox can tell: the same Message-ID and the same bytes."""
    kind = act.neighbour(f"at-least-once-{moment}", smtp_guarantee="at_least_once")
    kind.stage.smtp_proxy.trap(DOT, strike=Strike.CUT, moment=moment)
    kind.enroll("email", count=3)
    kind.until(sent=3)
    ours = {provider_id for (provider_id,) in kind.rows("provider_id")}
    accepted = [entry for entry in kind.accepted() if entry.id in ours]
    assert len({(entry.id, entry.to, entry.raw) for entry in accepted}) == 3
    twice = 1 if moment is Moment.ANSWERED else 0
    assert sorted(Counter(entry.id for entry in accepted).values()) == [1] * (3 - twice) + [2] * twice
    found = kind.stage.audit()
    assert +(found.counts - kind.before.counts) == ({Kind.DUPLICATED: 1} if twice else {})


def test_22_dropped_before_the_dot(act: Act) -> None:
    """No doubt at all: it was not sent, so it is sent again, whatever was chosen."""
    traps = [
        act.stage.smtp_proxy.trap(words, strike=strike, moment=Moment.BEFORE)
        for words, strike in ((b"MAIL FROM", Strike.CUT), (b"DATA\r\n", Strike.RESET))
    ]
    act.enroll("email", count=4)
    act.until(sent=4)
    assert [trap.struck for trap in traps] == [1, 1]
    act.judge(once=4)


def test_22_deferred_and_refused_at_the_recipient(act: Act) -> None:
    stage = act.stage
    later, never = act.next_event("email"), act.next_event("email")
    stage.sandbox.client.add_fault("email", "reply", "rcpt", code=451, text="4.3.0 later", times=1, to=later.email)
    stage.sandbox.client.add_fault("email", "reply", "rcpt", code=550, text="5.1.1 nobody", to=never.email)
    act.enroll_event(later)
    act.enroll_event(never)
    act.until(sent=1, failed=1)
    act.judge(once=1)
    refused = [entry.to for entry in read_entries(stage.sandbox.sandbox.ledger) if entry.event == "refused"]
    assert Counter(refused) >= Counter([str(later.email), str(never.email)])
    assert act.attempts("outcome") == [("held",), ("accepted",), ("refused",)]
