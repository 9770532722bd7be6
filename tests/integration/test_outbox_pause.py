"""A channel pauses when its provider refuses whatever is sent: one row tries for all, the others wait."""

from collections.abc import Sequence
from typing import Any

import pytest
from awaiting import awaiting

from engine.outbox.claim import Claimed, left_alone
from engine.outbox.pause import Paused, end_pauses, paused
from engine.outbox.settle import Ending, settle
from schema.states import AttemptOutcome, RowStatus

SMS = "sequence: single\nsteps: [{key: only, type: sms, body: Hi}]"
EMAIL = "sequence: mail\nsteps: [{key: only, type: email, subject: Hi, text: Hi}]"


@pytest.fixture
def crowd(world: Any) -> Any:
    """A world with five text messages that are due."""
    world.publish(SMS)
    world.publish(EMAIL)
    world.enroll("single", count=5)
    return world


def refuse(world: Any, rows: Sequence[Claimed], delay: float = 60) -> None:
    """The provider refused these for a reason that is not theirs."""
    endings = [
        Ending(
            row.id, row.fence, row.channel, RowStatus.PENDING, "wrong token", 0, delay, AttemptOutcome.HELD,
            error_code="20003", pauses=True,
        )
        for row in rows
    ]  # fmt: skip
    with world.database.transaction() as session:
        settle(session, endings)


def now_paused(world: Any) -> list[Paused]:
    with world.database.transaction() as session:
        return paused(session)


def test_one_row_tries_and_the_others_wait(crowd: Any) -> None:
    first, *others = crowd.ids()
    refuse(crowd, crowd.claim([first]))
    assert [(one.workspace, one.channel, one.error_code) for one in now_paused(crowd)] == [("default", "sms", "20003")]
    assert crowd.claim(others) == []
    crowd.execute("UPDATE outbox SET retry_at = now() WHERE id = %s", first)
    assert [row.id for row in crowd.claim(crowd.ids())] == [first]
    assert crowd.claim(others) == []  # nor while it is on its way


def test_who_waits_is_not_woken_again_and_again(crowd: Any) -> None:
    first, *others = crowd.ids()
    refuse(crowd, crowd.claim([first]))
    with crowd.database.transaction() as session:
        assert not any(row.may_go for row in left_alone(session, others))
        assert awaiting(session) == []


@pytest.mark.parametrize("status", ["sent", "failed", "cancelled", "skipped", "unknown", "review"])
def test_it_is_over_when_the_row_that_tries_gets_another_answer(crowd: Any, status: str) -> None:
    first, *others = crowd.ids()
    refuse(crowd, crowd.claim([first]))
    sent_at = "now()" if status == "sent" else "NULL"
    crowd.execute(f"UPDATE outbox SET status = %s, reason = 'test', sent_at = {sent_at} WHERE id = %s", status, first)
    assert now_paused(crowd) == []
    assert [row.id for row in crowd.claim(others)] == others


def test_it_is_over_when_the_row_that_tries_does_not_come_back(crowd: Any) -> None:
    first, *others = crowd.ids()
    refuse(crowd, crowd.claim([first]))
    crowd.execute("UPDATE pauses SET until = now()")
    assert [row.id for row in crowd.claim(others)] == others


def test_the_first_goes_on_trying_and_no_other(crowd: Any) -> None:
    rows = crowd.claim(crowd.ids())
    refuse(crowd, rows[:1], delay=100)
    refuse(crowd, rows[1:], delay=1)
    assert crowd.query("SELECT outbox_id FROM pauses") == [(rows[0].id,)]
    ((since,),) = crowd.query("SELECT since FROM pauses")
    crowd.execute("UPDATE outbox SET retry_at = now() WHERE id = %s", rows[0].id)
    refuse(crowd, crowd.claim([rows[0].id]))
    assert crowd.query("SELECT outbox_id, since FROM pauses") == [(rows[0].id, since)]


def test_another_tries_when_the_first_has_gone(crowd: Any) -> None:
    first, second, *_ = crowd.ids()
    refuse(crowd, crowd.claim([first]))
    crowd.execute("UPDATE outbox SET status = 'cancelled', reason = 'test' WHERE id = %s", first)
    refuse(crowd, crowd.claim([second]))
    assert crowd.query("SELECT outbox_id FROM pauses") == [(second,)]


def test_other_channels_and_workspaces_go_on(crowd: Any) -> None:
    crowd.execute("INSERT INTO workspaces (key, name) VALUES ('other', 'Other')")
    ((other,),) = crowd.query("SELECT id FROM workspaces WHERE key = 'other'")
    crowd.publish(SMS, workspace_id=other)
    refuse(crowd, crowd.claim(crowd.ids()[:1]))
    before = crowd.ids()
    crowd.enroll("mail")
    crowd.enroll("single", workspace="other")
    assert len(crowd.claim(crowd.ids())) == 2
    assert crowd.claim(before) == []


def test_the_sweep_forgets_it_when_it_is_over(crowd: Any) -> None:
    first, *others = crowd.ids()
    refuse(crowd, crowd.claim([first]))
    with crowd.database.transaction() as session:
        end_pauses(session)
    assert len(now_paused(crowd)) == 1
    crowd.execute("UPDATE outbox SET status = 'sent', sent_at = now(), retry_at = NULL WHERE id = %s", first)
    with crowd.database.transaction() as session:
        end_pauses(session)
        found = awaiting(session)
    assert crowd.query("SELECT count(*) FROM pauses") == [(0,)]
    assert found == others
