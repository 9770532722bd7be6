"""What all hosts have in common is exported by the one that leads."""

from collections.abc import Iterator
from typing import Any

import pytest
from stage_site import wait_for
from world import World

from engine.clock import SequenceClock
from engine.wakeups import Wakeups
from workers import gauges
from workers.gauges import Gauges
from workers.leader import leading, show_host
from workers.sweeper import LEADER_LOCK


@pytest.fixture
def hosts(world: World, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Gauges]]:
    monkeypatch.setattr(gauges, "FRESH", 0.0)
    wakeups = Wakeups(redis_url)
    yield [Gauges(world.database, wakeups, SequenceClock(world.database), host) for host in ("one", "two")]
    wakeups.close()


def exported(host: Gauges) -> dict[str, dict[tuple[str, ...], float]]:
    return {
        metric.name: {tuple(sample.labels.values()): sample.value for sample in metric.samples}
        for metric in host.collect()
    }


def test_nobody_exports_while_nobody_leads(hosts: list[Gauges]) -> None:
    assert [exported(host) for host in hosts] == [{}, {}]


def test_the_gauges_follow_the_lead(world: World, hosts: list[Gauges]) -> None:
    one, two = hosts
    world.enroll(count=2)
    with world.database.connect() as first, world.database.connect() as second:
        assert leading(first, LEADER_LOCK)
        show_host(first, "one")
        show_host(second, "two")
        found = exported(one)
        assert found["cadenza_outbox_rows"]["pending",] == 6
        assert found["cadenza_enrollments"]["event",] == 2
        assert set(found) >= {"cadenza_oldest_due_seconds", "cadenza_paused", "cadenza_wakeups"}
        assert exported(two) == {}
        first.close()
        wait_for(lambda: leading(second, LEADER_LOCK), "the other host leads")
        assert exported(one) == {}
        assert exported(two)["cadenza_outbox_rows"]["pending",] == 6


def test_another_lock_of_the_host_is_not_the_lead(world: World, hosts: list[Gauges]) -> None:
    """The reconciler has a leader of its own."""
    with world.database.connect() as session:
        assert leading(session, LEADER_LOCK + 1)
        show_host(session, "one")
        assert exported(hosts[0]) == {}


def test_figures_are_read_once_in_five_seconds(
    world: World, hosts: list[Gauges], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gauges, "FRESH", 3_600.0)
    with world.database.connect() as session:
        assert leading(session, LEADER_LOCK)
        show_host(session, "one")
        first: Any = exported(hosts[0])
        world.enroll()
        assert exported(hosts[0]) == first
