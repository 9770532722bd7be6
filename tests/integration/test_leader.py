"""One leader at a time; one that hangs is replaced, one that goes on is not."""

import asyncio
import time
from threading import Event
from typing import Any

import psycopg
import pytest
from stage_site import Site, wait_for

from engine.clock import SequenceClock
from workers import reconciler, sweeper
from workers.channels import open_channels
from workers.delivery.known import Known
from workers.leader import end_silent_leader, leading
from workers.reconciler import LOCK, Reconciler
from workers.sweeper import LEADER_LOCK


def test_there_is_one_leader(database: Any) -> None:
    with database.connect() as first, database.connect() as second:
        assert leading(first, LOCK)
        assert not leading(second, LOCK)
        first.close()
        wait_for(lambda: leading(second, LOCK), "the second leads")


def test_only_a_leader_that_is_silent_is_ended(database: Any) -> None:
    with database.connect() as leader, database.connect() as other:
        assert leading(leader, LOCK)
        assert not end_silent_leader(other, LOCK, 3_600)
        assert not end_silent_leader(other, LOCK + 1, 0)
        leader.execute("SELECT 1")
        time.sleep(0.01)
        assert end_silent_leader(other, LOCK, 0)
        with pytest.raises(psycopg.OperationalError):
            leader.execute("SELECT 1")
        wait_for(lambda: leading(other, LOCK), "the other leads")


def test_a_reconciler_that_hangs_is_replaced(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise no row in doubt would ever be looked up again."""
    monkeypatch.setattr(reconciler, "HANGS_SECONDS", 0.2)
    monkeypatch.setattr(reconciler, "HANGS_TIMEOUTS", 0)
    site.sandbox.client.add_fault("sms", "reply", "accepted", status=500, times=1)
    with site.world.database.connect() as hanging:
        assert leading(hanging, LOCK)
        site.enroll("follow-up")
        with site.working(reconcile_grace_seconds=0.1, reconcile_interval_seconds=0.1):
            site.until("sent", "pending", "pending")
    assert set(site.accepted().values()) == {1}


def test_a_sweeper_that_hangs_is_replaced(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise no lost hint would ever be made up for."""
    monkeypatch.setattr(sweeper, "HANGS_SECONDS", 0.2)
    site.world.execute(
        "UPDATE dispatch SET beaten_at = now() - interval '1 minute', open_until = now() + interval '1 minute'"
    )
    with site.world.database.connect() as hanging:
        assert leading(hanging, LEADER_LOCK)
        site.world.enroll()
        with site.working(sweep_seconds=0.05):
            site.until("sent", "pending", "pending")
    assert set(site.accepted().values()) == {1}


def test_a_reconciler_shows_that_it_goes_on(site: Site) -> None:
    """Before each row, since a hundred look-ups may take long."""
    site.sandbox.client.add_fault("sms", "reply", "accepted", status=500, times=3)
    site.enroll("follow-up", count=3)
    with site.working(reconcile_grace_seconds=3_600):
        wait_for(lambda: site.world.statuses().count("unknown") == 3, "three are in doubt")
    shown: list[int] = []
    settings = site.settings.model_copy(update={"reconcile_grace_seconds": 0.0})
    database = site.world.database
    channels = open_channels(settings)
    looking = Reconciler(settings, database, site.wakeups, SequenceClock(database), channels, Known(database))
    assert looking.reconcile(Event(), lambda: shown.append(1)) == 3
    assert len(shown) == 3
    for channel in channels.values():
        asyncio.run(channel.close())
