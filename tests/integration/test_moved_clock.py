"""A worker never judges a row by a clock that was moved since it looked; and it counts tries, not fences."""

from datetime import timedelta

from stage_site import Site

from engine.clock import SequenceClock, advance
from engine.outbox.begin import Attempt, begin
from engine.outbox.claim import claim
from engine.outbox.settle import Ending, settle
from schema.states import RowStatus
from workers.delivery.intake import Intake
from workers.delivery.known import Known
from workers.delivery.prepare import Prepare


def intake(site: Site, clock: SequenceClock) -> Intake:
    database = site.world.database
    return Intake(site.settings, database, clock, Prepare(site.settings, clock, Known(database)))


def test_a_row_that_looks_early_makes_the_worker_read_the_clock_again(site: Site) -> None:
    site.world.publish("sequence: later\nquiet_hours: off\nsteps: [{key: it, type: sms, delay: 3 days, body: Hi}]")
    site.world.enroll("later")
    clock = SequenceClock(site.world.database)
    before = clock.now()
    with site.world.database.transaction() as session:
        advance(session, timedelta(days=4))
    (prepared,) = intake(site, clock).take(site.world.ids()).ready
    assert clock.now() - before > 3.9 * 86_400
    assert 0 <= prepared.lateness < 60


def test_a_row_that_was_due_before_is_judged_by_the_moved_clock_too(site: Site) -> None:
    """Its quiet hours have ended, or begun, meanwhile."""
    site.world.enroll()
    clock = SequenceClock(site.world.database)
    before = clock.now()
    with site.world.database.transaction() as session:
        advance(session, timedelta(hours=7))
    intake(site, clock).take(site.world.ids("step_order = 1"))
    assert clock.now() - before > 6.9 * 3_600


def test_tries_are_counted_where_they_are_made(site: Site) -> None:
    """Not by the fence: a restore, a gate and a migration move that on without a try."""
    world = site.world
    world.enroll()
    (row_id,) = world.ids("step_order = 1")
    world.execute("UPDATE outbox SET fence = fence + 1000007 WHERE id = %s", row_id)
    clock = SequenceClock(world.database)
    (prepared,) = intake(site, clock).take([row_id]).ready
    assert prepared.standing().attempts == 1
    with world.database.transaction() as session:
        held = Ending(prepared.row.id, prepared.row.fence, "sms", RowStatus.PENDING, "no", delay=0.0, outcome="held")
        settle(session, [held])
    for tries in (2, 3):
        with world.database.transaction() as session:
            (row,) = claim(session, [row_id])
            assert row.attempted + 1 == tries
            begin(session, [Attempt(row.id, row.fence, row.recipient, "{}", 0.0)], 60)
        with world.database.transaction() as session:
            settle(session, [Ending(row.id, row.fence, "sms", RowStatus.PENDING, "no", delay=0.0, outcome="held")])
        world.execute("UPDATE outbox SET fence = fence + 3 WHERE id = %s", row_id)
