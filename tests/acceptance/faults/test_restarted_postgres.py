"""Scenario 14: Postgres is restarted at once, in the middle of sending."""

import time

from act import Act
from stage import wait_for

COUNT = 800


def test_14_restarted_immediately_while_it_sends(act: Act) -> None:
    """What was being committed is lost or not, and every worker finds out which; none has to be restarted."""
    assert act.house is not None
    before = act.house.workers.wait_for_children()
    began = sent(act)
    act.stage.wakeups.schedule(act.fill(COUNT))
    for least in (100, 400):
        wait_for(lambda: sent(act) - began >= least, f"{least} are sent")  # noqa: B023 (waited for here)
        act.house.servers.restart_postgres()
    act.until(sent=COUNT)
    act.judge(once=COUNT)
    assert act.house.workers.children() == before


def sent(act: Act) -> int:
    """How many messages were ever accepted, by the ledger: the database may be away."""
    time.sleep(0.05)
    return act.stage.sandbox.client.counts()["sms"]["accepted"]
