"""Scenarios 14 to 16: Postgres restarted at once, a COMMIT whose reply is lost, an older backup restored."""

import pytest
from stage import COMMIT, Play, begins, run, wait_for

from deploy.chaos.servers import OwnServers
from deploy.chaos.trap import Strike
from engine.outbox.begin import BEGIN
from engine.outbox.claim import CLAIM
from engine.outbox.settle import SETTLE


def test_14_restarted_immediately_while_it_sends(play: Play, own: OwnServers) -> None:
    stage = play.stage
    stage.wakeups.schedule(play.fill(3_000))
    workers = stage.workers(2)
    before = workers.wait_for_children()
    for sent in (100, 800, 1_500):
        wait_for(lambda least=sent: sent_now(play) >= least, f"{sent} are sent")  # type: ignore[misc]
        own.restart_postgres()
    play.until(sent=3_000)
    play.judge(once=3_000)
    assert workers.children() == before


@pytest.mark.parametrize("strike", [Strike.CUT, Strike.RESET])
@pytest.mark.parametrize(
    "statement", [CLAIM, BEGIN, SETTLE], ids=["of a claim", "of the attempts", "of how they ended"]
)
def test_15_the_reply_to_a_commit_is_lost(play: Play, statement: str, strike: Strike) -> None:
    trap = play.stage.postgres_proxy.trap(begins(statement), COMMIT, strike=strike)
    play.enroll(count=10)
    workers = play.stage.workers()
    before = workers.wait_for_children()
    assert trap.wait(60)
    play.until(sent=10)
    play.judge(once=10)
    assert workers.children() == before


@pytest.mark.parametrize("strike", [Strike.CUT, Strike.RESET])
def test_15_the_reply_to_the_commit_of_an_enrollment_is_lost(play: Play, strike: Strike) -> None:
    """Who asked can't know; asking again with the same key gives the same enrollment."""
    stage = play.stage
    trap = stage.postgres_proxy.trap(b"INSERT INTO enroll_events", COMMIT, strike=strike)
    asked = ("publish", "sms", "--phone", "+12015550100", "--idempotency-key", "order-1")
    first = run(stage, *asked)
    assert trap.struck == 1
    assert first.returncode == 1
    assert first.stderr.count("\n") == 1
    assert run(stage, *asked).returncode == 0
    assert play.query("SELECT count(*) FROM enrollments") == [(1,)]
    stage.workers()
    play.until(sent=1)
    play.judge(once=1)


def sent_now(play: Play) -> int:
    """How many rows are sent, by the ledger: the database may be away."""
    return len(play.accepted())
