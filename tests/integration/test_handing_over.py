"""The last steps before a provider's socket: written down first, and under a lease that outlives the time-out."""

import time

import pytest
from stage_site import GENEROUS, Site, wait_for

from deploy.sandbox.ledger import read_entries
from engine.clock import SequenceClock
from workers.channels import open_channels
from workers.delivery.known import Known
from workers.delivery.pipeline import Pipeline
from workers.delivery.prepare import Prepare
from workers.delivery.prepared import Prepared
from workers.delivery.settler import Settler

ONE_SMS = "sequence: single\nname: Single\nsteps: [{key: only, type: sms, body: Hi}]"


def test_an_attempt_is_written_down_before_the_provider_is_called(site: Site) -> None:
    """And committed, since another session sees it while the provider is silent."""
    site.world.publish(ONE_SMS)
    site.sandbox.client.add_fault("sms", "silence", "accepted", times=1)
    site.enroll("single")
    with site.working():
        wait_for(lambda: bool(site.accepted()), "the provider has accepted it")
        ((started_at,),) = site.world.query("SELECT extract(epoch FROM started_at)::float8 FROM attempts")
        site.until("unknown")
    (accepted,) = [entry for entry in read_entries(site.sandbox.ledger) if entry.event == "accepted"]
    assert started_at < accepted.at


@pytest.mark.parametrize(("seconds", "goes"), [(GENEROUS, True), (1.5, False)])
def test_a_lease_that_is_too_short_is_not_risked(site: Site, seconds: float, goes: bool) -> None:
    """The provider may take two seconds to answer."""
    assert site.settings.provider_timeout == 2
    site.world.publish(ONE_SMS)
    site.enroll("single")
    clock = SequenceClock(site.world.database)
    prepare = Prepare(site.settings, clock, Known(site.world.database))
    settler = Settler(site.world.database, site.wakeups, clock)
    pipeline = Pipeline(site.settings, site.world.database, clock, open_channels(site.settings), prepare, settler)
    (row,) = site.world.claim(site.world.ids())
    prepared = prepare(row, 0.0, time.monotonic() + seconds)
    assert isinstance(prepared, Prepared)
    assert site.world.begin([row]) == {row.id}
    prepared.begun = time.monotonic()
    pipeline._room.enter(1)
    pipeline._hand_over(prepared)
    wait_for(lambda: site.world.statuses() != ["sending"], site.world.rows)
    pipeline.stop()
    assert len(site.accepted()) == goes
    assert site.world.query("SELECT outcome FROM attempts") == [("accepted" if goes else "held",)]
