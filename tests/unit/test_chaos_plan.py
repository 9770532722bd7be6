"""The plan of a storm: a pure function of its seed, and within what is promised."""

from collections import Counter, defaultdict

import pytest

from deploy.chaos.effects import HABITS as CALLBACKS
from deploy.chaos.effects import NETWORK, PROVIDERS
from deploy.chaos.faults import plan_faults
from deploy.chaos.kinds import HABITS, LONGEST_STOP, REST_AFTER_STOP, SLOW_SECONDS, Kind
from deploy.chaos.people import HOUR, STEPS, WORKSPACES, plan_people
from deploy.chaos.scenery import TEMPO

SEEDS = range(20)


def test_the_same_seed_is_the_same_storm_and_another_is_another() -> None:
    assert plan_faults(7, 60) == plan_faults(7, 60)
    assert plan_people(7, 300, 60) == plan_people(7, 300, 60)
    assert len({tuple(plan_faults(seed, 60)) for seed in SEEDS}) == len(SEEDS)
    assert len({tuple(plan_people(seed, 300, 60)) for seed in SEEDS}) == len(SEEDS)


def test_a_seed_means_the_same_storm_on_every_machine() -> None:
    faults = [(fault.kind.name, round(fault.at, 6), round(fault.pick, 6)) for fault in plan_faults(7, 600)[:3]]
    assert faults == [
        ("POSTGRES_RESTARTED", 0.500798, 0.965381),
        ("SMS_429", 0.782506, 0.236399),
        ("EMAIL_DROP_AFTER", 1.663902, 0.05446),
    ]


@pytest.mark.parametrize("seed", SEEDS)
def test_faults_begin_in_order_and_end_within_the_storm(seed: int) -> None:
    faults = plan_faults(seed, 60)
    assert [fault.at for fault in faults] == sorted(fault.at for fault in faults)
    assert all(0 <= fault.at <= fault.until < 60 for fault in faults)
    assert all(0 <= fault.pick < 1 and 0 < fault.share < 1 for fault in faults)
    assert len(faults) > 60


@pytest.mark.parametrize("seed", SEEDS)
def test_no_two_faults_of_a_place_overlap(seed: int) -> None:
    free_at: defaultdict[str, float] = defaultdict(float)
    for fault in plan_faults(seed, 600):
        habit = HABITS[fault.kind]
        assert fault.at >= free_at[habit.place]
        assert habit.shortest <= fault.seconds <= habit.longest
        free_at[habit.place] = fault.until + habit.rest


def test_a_long_storm_has_about_as_much_of_each_kind() -> None:
    counts = Counter(fault.kind for fault in plan_faults(1, 600))
    assert set(counts) == set(Kind)
    assert max(counts.values()) <= 2 * min(counts.values())


def test_what_is_done_is_known_for_every_kind() -> None:
    assert set(HABITS) == set(Kind)
    by_table = [*NETWORK, *PROVIDERS, *CALLBACKS]
    assert len(by_table) == len(set(by_table))


def test_stops_and_slow_providers_stay_within_what_is_promised() -> None:
    """A worker stopped between its last look at the lease and the socket, and a provider that accepts late."""
    grace = TEMPO["reconcile_grace_seconds"]
    timeout = TEMPO["lease_seconds"] / 2
    assert grace > LONGEST_STOP + SLOW_SECONDS
    assert timeout < SLOW_SECONDS  # so that it does go unanswered
    assert TEMPO["lease_seconds"] + grace <= REST_AFTER_STOP


@pytest.mark.parametrize("rows", [1, 300, 301, 5_000])
def test_as_many_people_as_it_takes(rows: int) -> None:
    people = plan_people(3, rows, 60)
    assert (len(people) - 1) * STEPS < rows <= len(people) * STEPS
    assert len({person.name for person in people}) == len(people)
    assert all(person.at < 60 * (1 - 2 * HOUR) for person in people)


def test_all_workspaces_know_the_same_people() -> None:
    people = plan_people(3, 900, 60)
    phones = {key: {person.phone for person in people if person.workspace == key} for key in WORKSPACES}
    assert len(set(map(frozenset, phones.values()))) == 1
    assert len(phones["default"]) == 100


def test_some_say_stop_some_anything_and_some_are_said_to() -> None:
    replies = [person.reply for person in plan_people(3, 3_000, 60) if person.reply is not None]
    assert {(reply.stops, reply.forged) for reply in replies} == {(True, False), (False, False), (True, True)}
