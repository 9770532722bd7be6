"""Time to recover: from the end of a fault until the rows that were due during it are settled."""

from deploy.chaos.faults import Fault
from deploy.chaos.history import Wait
from deploy.chaos.kinds import Kind
from deploy.chaos.recovery import recovery, recovery_by_kind
from deploy.chaos.strikes import Struck


def struck(began: float, ended: float | None, kind: Kind = Kind.REDIS_CUT) -> Struck:
    return Struck(Fault(kind, began, 0.0, 0.0, 0.5), began, ended)


def test_it_is_counted_from_the_end_of_the_fault() -> None:
    found = recovery([struck(10, 12)], [Wait(1, due=11, settled=15), Wait(2, due=5, settled=12.5)])
    assert sorted(found.waits) == [0.5, 3]


def test_a_row_that_was_settled_before_the_end_counts_nothing() -> None:
    assert recovery([struck(10, 12)], [Wait(1, due=10.5, settled=11)]).waits == [0]


def test_rows_that_were_not_due_during_it_are_not_its_business() -> None:
    assert recovery([struck(10, 12)], [Wait(1, due=5, settled=9.9), Wait(2, due=12.1, settled=13)]).waits == []


def test_a_fault_of_a_moment_is_about_the_rows_that_were_due_then() -> None:
    found = recovery([struck(10, 10)], [Wait(1, due=9, settled=11), Wait(2, due=10.1, settled=12)])
    assert found.waits == [1]


def test_a_row_counts_for_every_fault_that_it_was_due_during() -> None:
    faults = [struck(10, 12), struck(11, 14, Kind.POSTGRES_CUT)]
    waits = [Wait(1, due=11.5, settled=15)]
    assert sorted(recovery(faults, waits).waits) == [1, 3]
    assert {kind: list(found.waits) for kind, found in recovery_by_kind(faults, waits).items()} == {
        Kind.REDIS_CUT: [3],
        Kind.POSTGRES_CUT: [1],
    }


def test_percentiles_of_nothing_are_nothing() -> None:
    assert recovery([struck(10, 12)], []).to_json() == {
        "faults": 1,
        "rows": 0,
        "p50_seconds": 0,
        "p99_seconds": 0,
        "max_seconds": 0,
    }
