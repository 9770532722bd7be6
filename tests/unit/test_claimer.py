"""When rows are claimed: many at once while slots become free one by one, and at once when nothing is in flight."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from workers.delivery import claimer as claims
from workers.delivery.answer import Answers
from workers.delivery.carrier import Carrier
from workers.delivery.claimer import Claimer, room_for
from workers.delivery.room import Room

SLOTS = 16
GENEROUS = 60.0


class Bench:
    """A claimer, and slots that are taken and become free as the test says."""

    def __init__(self) -> None:
        nobody: Any = None
        self.claimer = Claimer(SLOTS, nobody, nobody, nobody, Room(room_for(SLOTS)), Answers())
        self.carrier = Carrier(nobody, SLOTS, nobody, Answers(), self.claimer.look)
        self.claimer.bring_to(self.carrier)

    def take(self, slots: int) -> None:
        """So many are in flight."""
        self.carrier._brought += slots

    def answer(self, rows: int) -> None:
        """So many are answered, one by one."""
        for _ in range(rows):
            self.carrier.answered += 1
            self.carrier._tell()


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(claims, "HASTE", GENEROUS)
    bench = Bench()
    yield bench
    bench.claimer.stop()


def test_when_nothing_is_in_flight_a_single_row_is_claimed_at_once(bench: Bench) -> None:
    bench.claimer.tell([7])
    assert bench.claimer._next() == [7]


def test_rows_for_which_there_are_slots_are_claimed_at_once(bench: Bench) -> None:
    bench.take(SLOTS - 2)
    bench.claimer.tell([7, 8])
    assert bench.claimer._next() == [7, 8]


def test_no_more_rows_are_claimed_than_there_are_slots(bench: Bench) -> None:
    bench.claimer.tell(range(100))
    assert bench.claimer._next() == list(range(SLOTS))


@pytest.mark.parametrize("free", [0, 1])
def test_a_claim_waits_for_a_quarter_of_the_slots(bench: Bench, free: int) -> None:
    bench.take(SLOTS - free)
    bench.claimer.tell(range(100))
    with ThreadPoolExecutor(1) as thread:
        claim: Future[list[int]] = thread.submit(bench.claimer._next)
        bench.answer(SLOTS // 4 - free)
        assert claim.result(GENEROUS / 2) == list(range(SLOTS // 4))


def test_a_claim_does_not_wait_for_long(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "HASTE", 0.0)
    bench.take(SLOTS - 1)
    bench.claimer.tell(range(100))
    assert bench.claimer._next() == [0]


def test_a_claim_that_waits_is_given_up_when_the_process_stops(bench: Bench) -> None:
    bench.take(SLOTS)
    bench.claimer.tell([7])
    with ThreadPoolExecutor(1) as thread:
        claim: Future[list[int]] = thread.submit(bench.claimer._next)
        bench.claimer.stop()
        assert claim.result(GENEROUS / 2) == []
