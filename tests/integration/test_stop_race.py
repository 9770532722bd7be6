"""STOP against everything that is on its way out: once it is stored, nothing more is begun."""

import time
from threading import Thread

import pytest
from stage_site import GENEROUS, Site, site, wait_for
from world import World

from engine.clock import SequenceClock
from engine.database import Database, Session
from engine.outbox.begin import Attempt, begin
from engine.outbox.claim import Claimed, claim
from engine.outbox.leave import leave
from engine.outbox.resolve import Resolution, resolve
from engine.outbox.settle import Ending, settle
from engine.outbox.sweep import end_leases
from engine.rules.opt_out import OptOut
from producers.enroll_event import EnrollEvent, write
from producers.inbound import InboundMessage, receive
from producers.tenants import Tenant
from schema.states import RowStatus
from workers.channels import open_channels
from workers.delivery.hand_over import FRESH
from workers.delivery.intake import Intake
from workers.delivery.known import Known
from workers.delivery.pipeline import Pipeline
from workers.delivery.prepare import Prepare
from workers.delivery.prepared import Prepared
from workers.delivery.settler import Settler
from workers.event_loop import EventLoop
from workers.gates.gates import Gates

__all__ = ["site"]

ANA = "+12025550101"
ONE_STEP = "sequence: one\nsteps: [{key: only, type: sms, body: Hi}]"


def stop(session: Session, sid: str = "SM1", sender: str = ANA) -> OptOut:
    """What the webhook does in its transaction."""
    return receive(session, Tenant(1, "Default", "US", "secret"), InboundMessage(sid, sender, "STOP", None, {})).says


def claimed(world: World) -> Claimed:
    world.enroll(phone=ANA)
    (row,) = world.claim(world.ids("step_order = 1"))
    return row


def is_waiting_for_a_lock(world: World) -> bool:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return world.query(waiting) == [(1,)]


def test_a_stop_waits_for_what_is_being_begun(world: World, database_url: str) -> None:
    """So that what was begun is committed, and on its way, before the STOP is stored."""
    world.enroll(phone=ANA)
    stopping = Database(database_url, name="stopping")

    def say_stop() -> None:
        with stopping.transaction() as session:
            stop(session)

    with world.database.transaction() as session:
        (row,) = claim(session, world.ids("step_order = 1"))
        thread = Thread(target=say_stop)
        thread.start()
        wait_for(lambda: is_waiting_for_a_lock(world), "the STOP waits")
        assert world.query("SELECT count(*) FROM suppressions") == [(0,)]
        begin(session, [Attempt(row.id, row.fence, row.recipient, "{}", 0.0)], 60)
    thread.join(GENEROUS)
    stopping.close()
    assert world.query("SELECT reason FROM suppressions") == [("stop",)]
    assert world.statuses() == ["sending", "cancelled", "cancelled"]
    in_order = "SELECT a.started_at < s.created_at, a.started_at < e.cancelled_at FROM attempts a, suppressions s,"
    assert world.query(f"{in_order} enrollments e") == [(True, True)], "what was begun was begun before"


def test_nothing_is_claimed_under_a_stop_and_nobody_waits_for_it(world: World, database_url: str) -> None:
    world.enroll(phone=ANA)
    stopping = Database(database_url, name="stopping")
    with stopping.transaction() as session:
        stop(session)
        assert world.begin(world.ids()) == []
    assert world.begin(world.ids()) == []
    stopping.close()
    assert world.query("SELECT count(*) FROM attempts") == [(0,)]


def test_an_enrollment_that_is_made_in_the_same_moment_is_ended_too(world: World, database_url: str) -> None:
    world.enroll(phone=ANA)
    world.publish(ONE_STEP)
    stopping = Database(database_url, name="stopping")

    def say_stop() -> None:
        with stopping.transaction() as session:
            stop(session)

    with world.database.transaction() as session:
        write(session, EnrollEvent("one", phone=ANA))
        thread = Thread(target=say_stop)
        thread.start()
        wait_for(lambda: is_waiting_for_a_lock(world), "the STOP waits")
    thread.join(GENEROUS)
    stopping.close()
    assert set(world.statuses()) == {"cancelled"}


@pytest.mark.parametrize("channel", ["sms", "email"])
def test_a_suppressed_recipient_is_told_with_the_claim(world: World, channel: str) -> None:
    """Also where the enrollment goes on; an email is known by its key."""
    world.enroll(phone=ANA, email="Ana@Example.com")
    world.execute("UPDATE outbox SET type = %s WHERE step_order = 1", channel)
    address = {"sms": ANA, "email": "ana@example.com"}[channel]
    world.execute("INSERT INTO suppressions VALUES (DEFAULT, 1, %s, %s, 'stop')", channel, address)
    with world.database.transaction() as session:
        assert [row.suppressed for row in claim(session, world.ids())] == ["stop"]
    world.execute("UPDATE suppressions SET channel = CASE channel WHEN 'sms' THEN 'email' ELSE 'sms' END")
    with world.database.transaction() as session:
        assert [row.suppressed for row in claim(session, world.ids())] == [None]


@pytest.mark.parametrize("way", ["settled", "lease", "resolved"])
def test_what_comes_back_after_the_end_is_cancelled(world: World, way: str) -> None:
    """The STOP could not see it: a worker held it then."""
    row = claimed(world)
    with world.database.transaction() as session:
        stop(session)
    with world.database.transaction() as session:
        if way == "settled":
            settle(session, [Ending(row.id, row.fence, "sms", RowStatus.PENDING, "slow down", delay=5.0)])
        elif way == "lease":
            world.execute("UPDATE outbox SET lease_until = now() WHERE status = 'sending'")
            end_leases(session)
        else:
            clock = SequenceClock(world.database)
            resolve(session, clock, [Resolution(row.id, row.fence, RowStatus.PENDING, "no such message")])
    assert world.rows("status, reason, retry_at") == [("cancelled", "unsubscribed", None)] * 3


@pytest.mark.parametrize("way", ["before the STOP", "after it", "by a refusal"])
def test_an_email_that_may_have_been_accepted_is_not_said_to_be_cancelled(world: World, way: str) -> None:
    """It was to be sent once more, and now is not: whether it went out nobody knows."""
    world.publish(
        "sequence: mail\nexit_on: [bounced]\nsteps: [{key: only, type: email, subject: Hi, text: Hello},"
        " {key: next, type: sms, delay: 1 day, body: Hi}]"
    )
    world.enroll("mail", phone=ANA)
    (row,) = world.begin(world.ids("type = 'email' AND step_order = 1"))
    clock = SequenceClock(world.database)
    once_more = Resolution(row.id, row.fence + 1, RowStatus.PENDING, "sent once more")
    with world.database.transaction() as session:
        settle(session, [Ending(row.id, row.fence, "email", RowStatus.UNKNOWN, "silence", outcome="unanswered")])
        if way != "after it":
            resolve(session, clock, [once_more])
        if way == "by a refusal":
            exits = Ending(row.id, row.fence + 2, "email", RowStatus.PENDING, exit_reason="bounced")
            session.execute("UPDATE outbox SET status = 'sending', lease_until = now() WHERE id = %s", (row.id,))
            settle(session, [exits])
        else:
            stop(session)
            resolve(session, clock, [once_more])
    assert world.rows("status", f"enrollment_id = {row.enrollment_id}") == [("review",), ("cancelled",)]
    ((reason,),) = world.rows("reason", f"id = {row.id}")
    assert reason.startswith("it may have been accepted; not sent once more: ")


def test_what_comes_back_while_it_is_ended_is_cancelled(world: World, database_url: str) -> None:
    row = claimed(world)
    stopping = Database(database_url, name="stopping")

    def give_back() -> None:
        with world.database.transaction() as session:
            settle(session, [Ending(row.id, row.fence, "sms", RowStatus.PENDING, "slow down")])

    with stopping.transaction() as session:
        leave(session, 1, 1, "unsubscribed")
        thread = Thread(target=give_back)
        thread.start()
        wait_for(lambda: is_waiting_for_a_lock(world), "the settling waits")
    thread.join(GENEROUS)
    stopping.close()
    assert world.statuses() == ["cancelled"] * 3


def begun(site: Site, world: World) -> tuple[Pipeline, Prepared]:
    """A pipeline, and a row that it is about to hand over."""
    world.enroll(phone=ANA)
    clock = SequenceClock(world.database)
    intake = Intake(site.settings, world.database, clock, Prepare(site.settings, clock, Known(world.database)))
    settler = Settler(world.database, site.wakeups, clock)
    gates = Gates(world.database, site.wakeups, clock, Known(world.database), {})
    channels = open_channels(site.settings)
    pipeline = Pipeline(site.settings, world.database, channels, intake, settler, gates, EventLoop())
    (prepared,) = intake.take(world.ids("step_order = 1")).ready
    pipeline._room.enter(1)
    return pipeline, prepared


def test_an_attempt_that_was_held_up_is_looked_at_again(site: Site, world: World) -> None:
    """The worker was stopped after the attempt was begun, and somebody said STOP before it went on."""
    pipeline, prepared = begun(site, world)
    with world.database.transaction() as session:
        stop(session)
    prepared.begun = time.monotonic() - FRESH - 1
    pipeline._carrier.put([prepared])
    wait_for(lambda: world.statuses()[0] == "cancelled", world.rows)
    pipeline.stop()
    assert world.query("SELECT outcome FROM attempts") == [("held",)]
    assert site.accepted() == {}


def test_attempts_that_were_held_up_are_looked_at_together(site: Site, world: World) -> None:
    """Each gets the answer that is its own."""
    pipeline, prepared = begun(site, world)
    others = [f"+1202555{number:04}" for number in range(1, 9)]
    for phone in others:
        world.enroll(phone=phone)
    held_up = [prepared, *pipeline._claimer._intake.take(world.ids("step_order = 1")).ready]
    pipeline._room.enter(len(others))
    with world.database.transaction() as session:
        stop(session)
        stop(session, "SM2", others[3])
    for one in held_up:
        one.begun = time.monotonic() - FRESH - 1
    pipeline._carrier.put(held_up)
    wait_for(lambda: "sending" not in world.statuses(), world.rows)
    pipeline.stop()
    assert world.query("SELECT recipient, outcome FROM attempts WHERE outcome <> 'accepted' ORDER BY 1") == [
        (phone, "held") for phone in sorted([ANA, others[3]])
    ]
    assert {phone for phone, _ in site.accepted()} == set(others) - {others[3]}


def test_a_row_is_not_handed_over_when_its_lease_is_shorter_than_the_time_out(site: Site, world: World) -> None:
    """The worker was stopped so long that another might have the row before the provider has answered."""
    pipeline, prepared = begun(site, world)
    prepared.lease_until = time.monotonic() + site.settings.provider_timeout * 0.9
    pipeline._carrier.put([prepared])
    wait_for(lambda: world.statuses()[0] == "pending", world.rows)
    pipeline.stop()
    assert world.query("SELECT outcome FROM attempts") == [("held",)]
    assert site.accepted() == {}
