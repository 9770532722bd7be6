"""Scenarios 1 to 7 and 13, and one more (26): worker processes that are killed, stopped and told to end."""

from collections.abc import Iterator

import pytest
from crew import VICTIM, Crew, Struck, open_crew
from group import Group, enroll_together
from hints import all_hints, redeliver, unacknowledged
from stage import COMMIT, PATIENCE, Play, begins, wait_for

from deploy.chaos.trap import Moment, Strike, Way
from engine.outbox.begin import BEGIN
from engine.outbox.claim import CLAIM
from engine.outbox.settle import SETTLE_ACCEPTED
from engine.wakeups.wakeups import QUEUE

#: The request that sends a text message.
POST = b"POST /2010-04-01/"

#: The command with which a worker tells Redis that a message is done, and the one with which it promotes wake-ups.
ACK = b"$3\r\nack\r\n"
PROMOTE = (b"EVALSHA", b"{cadenza}:wakeups")

pytestmark = pytest.mark.timeout(400)

#: Real seconds by which a slow machine may be late.
MARGIN = 30.0


@pytest.fixture(scope="module")
def crew(shared_play: Play) -> Iterator[Crew]:
    """Processes to be struck, and one that goes on."""
    with open_crew(shared_play, victims=14) as crew:
        crew.play.stage.api()
        yield crew


@pytest.fixture(scope="module")
def struck(crew: Crew) -> dict[str, Struck]:
    """One process after the other is struck, each by itself; then the one that goes on sees all of it through."""
    stage = crew.play.stage
    postgres, sms = stage.postgres_proxy, stage.sms_proxy
    with crew.without_survivor():
        stage.api_proxy.refuse()  # no callback comes
        struck = {
            "before the claim": crew.kill(postgres, begins(CLAIM), COMMIT, moment=Moment.BEFORE, people=5),
            "claimed": crew.kill(postgres, begins(CLAIM), people=5),
            "begun": crew.kill(postgres, begins(BEGIN), COMMIT),
            "accepted": crew.kill(sms, POST),
            "answered": crew.kill(postgres, begins(SETTLE_ACCEPTED), moment=Moment.BEFORE, people=3),
            "ten of a hundred": crew.kill(sms, POST, times=10, people=100),
            "stopped when begun": crew.freeze(postgres, begins(BEGIN), COMMIT),
            "stopped when posting": crew.freeze(sms, POST, moment=Moment.BEFORE),
            "stopped when accepted": crew.freeze(sms, POST),
        }
        wait_for(lambda: stage.sandbox.client.callbacks()["waiting"] == 0, "the callbacks are lost")
        stage.api_proxy.accept()
        stage.api_proxy.stall()  # callbacks come once it is dead
        struck["accepted, called back"] = crew.kill(sms, POST)
        struck["ten of a hundred, called back"] = crew.kill(sms, POST, times=10, people=100)
        stage.api_proxy.release()
        struck["accepted, called back"].until(sent=1)
        struck["ten of a hundred, called back"].until(sent=10, pending=90)
        ((recipient,),) = struck["stopped when accepted"].attempts("recipient")
        stage.sandbox.client.add_fault("sms", "reply", "lookup", status=503, to=recipient)
    for name, group in struck.items():
        if name == "stopped when accepted":
            group.until(unknown=1)
        else:
            group.until(sent=len(group.rows))
    return struck


def test_01_killed_before_the_claim_is_committed(struck: dict[str, Struck]) -> None:
    group = struck["before the claim"]
    assert (group.then, group.begun) == ({"pending": 5}, 0)  # the claim that was lost left no trace
    assert group.attempts() == [("accepted", 0)] * 5
    group.judge()


def test_02_killed_after_the_claim_and_before_the_hand_over(struck: dict[str, Struck]) -> None:
    """Locked, and the attempt not committed: no doubt at all."""
    group = struck["claimed"]
    assert (group.then, group.begun) == ({"pending": 5}, 0)
    assert group.attempts() == [("accepted", 0)] * 5
    group.judge()


def test_02_killed_after_the_attempt_is_written_and_before_connecting(struck: dict[str, Struck]) -> None:
    """The hand-over may have begun: unknown, then looked up twice in vain, then sent."""
    group = struck["begun"]
    assert (group.then, group.begun) == ({"sending": 1}, 1)
    assert group.attempts() == [("unanswered", 2), ("accepted", 0)]
    group.judge()


@pytest.mark.parametrize(
    ("name", "reason"),
    [("accepted", "found at the provider"), ("accepted, called back", "proven by a callback")],
    ids=["by look-up", "by callback"],
)
def test_03_killed_while_the_provider_accepts(struck: dict[str, Struck], name: str, reason: str) -> None:
    group = struck[name]
    assert (group.then, group.begun) == ({"sending": 1}, 1)
    assert group.reasons() == {reason: 1}
    assert len(group.attempts()) == 1
    group.judge()


def test_04_killed_after_the_answer_and_before_it_is_stored(struck: dict[str, Struck]) -> None:
    """The provider's id is found again and attached; the auditor compares it with the ledger's."""
    group = struck["answered"]
    assert group.then == {"sending": 3}
    assert [outcome for outcome, _ in group.attempts()].count("accepted") == 3
    group.judge()


def test_05_killed_after_it_is_stored_and_before_the_message_is_acknowledged(crew: Crew) -> None:
    """The message comes again; its rows are sent, so nothing happens."""
    redis = crew.play.stage.redis
    with crew.without_survivor():
        group = crew.stall(crew.play.stage.redis_proxy, ACK, moment=Moment.BEFORE, people=3)
        group.until(sent=3)
        crew.victims.kill(group.victim)
        assert redeliver(crew.play) > 0
    wait_for(lambda: redis.llen(QUEUE) == 0 and not unacknowledged(crew.play), "it is looked at again")
    assert group.attempts() == [("accepted", 0)] * 3
    group.judge()


def test_06_told_to_end_with_eight_in_flight(crew: Crew) -> None:
    """It waits for the eight; the twelve that it was told of as well stay as they are, for others."""
    stage = crew.play.stage
    with crew.without_survivor():
        trap = stage.sms_proxy.trap(POST, strike=Strike.STALL, times=8)
        group = enroll_together(crew.play, 20)
        workers = stage.workers(in_flight=8, lease_seconds=120, provider_timeout_seconds=60)
        assert trap.wait(PATIENCE)
        assert group.statuses() == {"sending": 8, "pending": 12}
        workers.process.terminate()
        wait_for(lambda: "told to end" in workers.log.read_text(), "it has heard")
        assert group.statuses() == {"sending": 8, "pending": 12}
        stage.sms_proxy.release(trap)
        assert workers.terminate() == 0
        assert group.statuses() == {"sent": 8, "pending": 12}
    group.until(sent=20)
    assert group.attempts() == [("accepted", 0)] * 20
    group.judge()


def test_07_stopped_beyond_its_lease_before_the_hand_over(crew: Crew, struck: dict[str, Struck]) -> None:
    """When it goes on its lease is over, so it hands nothing over: others have sent it meanwhile."""
    group = struck["stopped when begun"]
    assert group.attempts() == [("unanswered", 2), ("accepted", 0)]
    with crew.thawed(group):
        wait_for(lambda: group.attempts("outcome") == [("held",), ("accepted",)], "it says that it handed nothing over")
    group.judge()


def test_07_stopped_beyond_its_lease_while_the_provider_accepts(crew: Crew, struck: dict[str, Struck]) -> None:
    """Its row is in doubt. What it writes late is refused by the fence, and settles the row as evidence."""
    group = struck["stopped when accepted"]
    assert group.statuses() == {"unknown": 1}  # and it can't be looked up
    with crew.thawed(group):
        group.judge()
    assert group.reasons() == {"accepted, as its worker told late": 1}


def test_07_stopped_beyond_the_grace_in_the_middle_of_the_hand_over(crew: Crew, struck: dict[str, Struck]) -> None:
    """Nothing on our side can help: the provider can't be told to refuse the late one. At most two, and alerted."""
    group = struck["stopped when posting"]
    group.judge()
    answered = group.proxy.trap(b"HTTP/1.1 201", strike=Strike.STALL, moment=Moment.AFTER, way=Way.DOWN)
    group.proxy.release(group.trap)
    assert answered.wait(PATIENCE)  # there is something to read when it goes on, or else it has waited too long
    group.proxy.release(answered)
    with crew.thawed(group):
        wait_for(lambda: "duplicate detected" in crew.victims.log.read_text(), "it is alerted")
    group.judge(duplicated=1)


@pytest.mark.parametrize("moment", [Moment.BEFORE, Moment.ANSWERED])
def test_13_the_promoter_is_killed_in_the_middle_of_a_batch(crew: Crew, moment: Moment) -> None:
    """Before or after its script has run: there is no between. Every row that is still to go has its hint."""
    with crew.without_survivor():
        group = crew.kill(crew.play.stage.redis_proxy, *PROMOTE, moment=moment, people=1_050)
        assert group.then == {"pending": 1_050}
        assert set(group.rows) <= all_hints(crew.play)
    group.until(sent=1_050)
    group.judge()


@pytest.mark.parametrize(
    ("name", "reason"),
    [("ten of a hundred", "found at the provider"), ("ten of a hundred, called back", "proven by a callback")],
    ids=["by look-up", "by callback"],
)
def test_26_killed_with_a_hundred_claimed_and_ten_in_flight(
    crew: Crew, struck: dict[str, Struck], name: str, reason: str
) -> None:
    """Ninety go out within the lease and one sweep, ten are resolved; none twice."""
    group = struck[name]
    assert (group.then, group.begun) == ({"sending": 10, "pending": 90}, 10)
    begun = sorted(group.attempts("started_at, outbox_id"))
    assert len(begun) == 100  # no row was handed over a second time
    assert Group(group.play, [row_id for _, row_id in begun[:10]]).reasons() == {reason: 10}
    in_time = VICTIM["lease_seconds"] + crew.play.stage.settings.sweep_seconds
    assert (begun[-1][0] - begun[0][0]).total_seconds() < in_time + MARGIN
    group.judge()
