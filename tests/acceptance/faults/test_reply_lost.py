"""Scenario 15: a connection is cut before or after a COMMIT has arrived, and before its reply has."""

import pytest
from act import Act, mention
from stage import COMMIT, run

from deploy.chaos.trap import Moment, Strike
from producers.enroll_event import EnrollEvent, publish

HOUR = 1 / 24

#: What the statements of a transaction say after it has named a row, and no statement before them: the recipient, and
#: what the provider calls the message. The text of a statement is said once on a connection, its parameters always.
BEGIN: tuple[bytes, ...] = (b"+1201",)
SETTLE: tuple[bytes, ...] = (b"SM",)


@pytest.mark.parametrize("moment", [Moment.BEFORE, Moment.ANSWERED], ids=["not committed", "committed"])
@pytest.mark.parametrize("words", [BEGIN, SETTLE], ids=["attempts", "endings"])
def test_15_the_reply_to_a_commit_is_lost(act: Act, words: tuple[bytes, ...], moment: Moment) -> None:
    """Nobody goes on as if it had been committed, or as if it had not."""
    strike = Strike.RESET if moment is Moment.BEFORE else Strike.CUT
    act.stage.api_proxy.refuse()  # so that nobody else speaks of the row
    row_id, *_ = act.enroll_for_later(10)
    trap = act.stage.postgres_proxy.trap(mention(row_id), *words, COMMIT, strike=strike, moment=moment)
    before = read_back(act)
    act.jump(HOUR)
    assert trap.wait(60)
    act.until(sent=10)
    act.judge(once=10)
    if words is BEGIN:
        (found,) = read_back(act)[len(before) :]
        assert found == ("aborted" if moment is Moment.BEFORE else "committed")


def read_back(act: Act) -> list[object]:
    """What workers have found of transactions whose COMMIT got no reply."""
    assert act.house is not None
    return [line["became"] for line in act.house.workers.logged() if line["event"] == "read back"]


def test_15_the_reply_to_the_commit_of_an_enrollment_is_lost(act: Act) -> None:
    """Who asked can't know; asking again with the same key gives the same enrollment."""
    trap = act.stage.postgres_proxy.trap(b"INSERT INTO enroll_events", COMMIT, strike=Strike.RESET)
    phone = str(act.next_event("sms").phone)
    said = run(
        act.stage, "publish", "sms", "--phone", phone, "--idempotency-key", "order-1", "--workspace", act.workspace
    )
    assert trap.struck == 1
    assert (said.returncode, said.stderr.count("\n")) == (1, 1)
    again = EnrollEvent("sms", phone=phone, idempotency_key="order-1", workspace=act.workspace)
    assert not publish(act.stage.database, act.stage.wakeups, again).created
    assert act.query("SELECT count(*) FROM enrollments WHERE workspace_id = %s", act.workspace_id) == [(1,)]
    act.until(sent=1)
    act.judge(once=1)
