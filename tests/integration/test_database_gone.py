"""The database is gone for a moment, in the middle of a delivery."""

import time
from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest
from stage_site import Site

from deploy.chaos.proxy import Proxy
from deploy.chaos.trap import Moment, Strike
from engine.clock import SequenceClock
from engine.database import Database
from engine.outbox.last_look import STILL_GOOD
from engine.outbox.settle import Ending
from schema.states import RowStatus
from workers.channels import open_channels
from workers.delivery.intake import Intake, Taken
from workers.delivery.known import Known
from workers.delivery.pipeline import Pipeline
from workers.delivery.prepare import Prepare
from workers.delivery.settler import Settler
from workers.event_loop import EventLoop
from workers.gates.gates import Gates

GENEROUS = 60.0

#: What every look at the sequence clock says.
CLOCK = b"FROM clock ORDER BY id"

#: Every COMMIT that moves a row takes longer than the clock is good for.
SLOW_COMMIT = """
CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER dawdle AFTER UPDATE ON outbox DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION dawdle()
"""


@pytest.fixture
def proxy(database_url: str) -> Iterator[Proxy]:
    with Proxy.before(database_url) as proxy:
        yield proxy


@pytest.fixture
def behind(proxy: Proxy, database_url: str) -> Iterator[Database]:
    """The same database behind the proxy, connected."""
    database = Database(proxy.url(database_url))
    with database.transaction() as session:
        session.execute("SELECT 1")
    yield database
    database.close()


def test_a_row_is_not_put_off_for_a_minute(site: Site, proxy: Proxy, behind: Database) -> None:
    clock = SequenceClock(site.world.database)
    site.world.enroll()
    intake = Intake(site.settings, site.world.database, clock, Prepare(site.settings, clock, Known(behind)))
    proxy.cut()
    first, *_ = site.world.ids()
    assert intake.take([first]) == Taken(later=[first])
    assert site.world.statuses() == ["pending"] * 3
    assert intake.take([first]).ready


def test_a_row_is_not_handed_over_when_the_last_look_took_longer_than_its_lease(
    site: Site, proxy: Proxy, behind: Database
) -> None:
    """The answer is held up on its way; meanwhile the row may have been looked up, and sent again."""
    clock = SequenceClock(site.world.database)
    site.world.enroll()
    prepare = Prepare(site.settings, clock, Known(site.world.database))
    settler = Settler(site.world.database, site.wakeups, clock)
    intake = Intake(site.settings, site.world.database, clock, prepare)
    gates = Gates(behind, site.wakeups, clock, Known(behind), {})
    channels = open_channels(site.settings)
    pipeline = Pipeline(site.settings, behind, channels, intake, settler, gates, EventLoop())
    (prepared,) = intake.take(site.world.ids()).ready
    prepared.begun, prepared.lease_until = float("-inf"), time.monotonic() + 4
    pipeline._room.enter(1)
    trap = proxy.trap(STILL_GOOD.partition("%(")[0].encode(), strike=Strike.STALL, moment=Moment.ANSWERED)
    pipeline._carrier.put([prepared])
    assert trap.wait(GENEROUS)
    while time.monotonic() < prepared.lease_until:
        time.sleep(0.1)
    proxy.release()
    pipeline.stop()
    assert site.accepted() == {}
    assert site.world.rows("status", f"id = {prepared.row.id}") == [("pending",)]


def test_what_is_settled_stays_settled_when_nobody_can_tell_what_comes_next(
    world: Any, redis_url: str, site: Site, proxy: Proxy, behind: Database
) -> None:
    world.enroll()
    (row,) = world.begin(world.ids())
    world.execute(SLOW_COMMIT)
    trap = proxy.trap(CLOCK, CLOCK, strike=Strike.CUT, moment=Moment.BEFORE)
    settler = Settler(world.database, site.wakeups, SequenceClock(behind))
    settler.settle([Ending(row.id, row.fence, "sms", RowStatus.SENT, outcome="accepted", provider_id="SM1")])
    assert trap.struck == 1
    assert world.statuses()[0] == "sent"


def test_a_worker_that_is_told_to_stop_does_not_wait_for_a_database_that_is_gone(
    site: Site, proxy: Proxy, behind: Database
) -> None:
    """Nor does whoever waits for room to bring more rows."""
    clock = SequenceClock(site.world.database)
    site.world.enroll()
    intake = Intake(
        site.settings, site.world.database, clock, Prepare(site.settings, clock, Known(site.world.database))
    )
    settler = Settler(behind, site.wakeups, clock)
    gates = Gates(behind, site.wakeups, clock, Known(behind), {})
    channels = open_channels(site.settings)
    pipeline = Pipeline(site.settings, site.world.database, channels, intake, settler, gates, EventLoop())
    full = pipeline._room._size
    pipeline._room.enter(full)
    bringing = Thread(target=pipeline.take, args=([1],))
    bringing.start()
    proxy.refuse()
    proxy.cut()
    (prepared,) = intake.take(site.world.ids()).ready
    pipeline._carrier.put([prepared])
    pipeline.take_no_more()
    settler.give_up_after(0)
    bringing.join(GENEROUS)
    assert not bringing.is_alive()
    for thread in pipeline._threads:
        thread.join(GENEROUS)
        assert not thread.is_alive()
    pipeline.stop()
    assert site.world.rows("status", f"id = {prepared.row.id}") == [("sending",)]
