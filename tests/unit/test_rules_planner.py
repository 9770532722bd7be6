"""The planner: by examples, and whatever the sequence and however people go through it."""

from dataclasses import replace
from typing import Any

import pytest
from branches import program
from hypothesis import given
from hypothesis import strategies as st

from engine.rules.planner import Change, Standing, advance, not_taken, withdraw
from engine.rules.program import Program
from schema.states import BLOCKING, RowStatus

DAY = 86_400.0
DONE, OPEN, PENDING, SENT, SKIPPED, WAITING = (
    RowStatus.DONE,
    RowStatus.OPEN,
    RowStatus.PENDING,
    RowStatus.SENT,
    RowStatus.SKIPPED,
    RowStatus.WAITING,
)


def standings(*given: RowStatus | Standing) -> dict[int, Standing]:
    return {
        order: one if isinstance(one, Standing) else Standing(one, None if one is WAITING else 0.0)
        for order, one in enumerate(given, start=1)
    }


def test_a_sequence_without_gates_is_planned_at_once() -> None:
    assert advance(program("a", "b", "c"), {}, 100.0) == [
        Change(1, WAITING, PENDING, 100 + DAY),
        Change(2, WAITING, PENDING, 100 + 2 * DAY),
        Change(3, WAITING, PENDING, 100 + 3 * DAY),
    ]


def test_the_first_stretch_ends_with_the_first_gate() -> None:
    assert [change.order for change in advance(program("a", "g*", "b", "h*", "c"), {}, 0.0)] == [1, 2]


def test_a_stretch_begins_when_its_gate_has_ended() -> None:
    made = program("a", "g*", "b", "h*", "c")
    assert advance(made, standings(SENT, DONE, WAITING, WAITING, WAITING), 500.0) == [
        Change(3, WAITING, PENDING, 500 + DAY),
        Change(4, WAITING, PENDING, 500 + 2 * DAY),
    ]


@pytest.mark.parametrize("status", [PENDING, OPEN, WAITING, RowStatus.SENDING, RowStatus.UNKNOWN])
def test_nothing_behind_a_gate_that_has_not_ended_has_a_time(status: RowStatus) -> None:
    changes = advance(program("a", "g*", "b"), standings(SENT, status, WAITING), 500.0)
    assert [change.order for change in changes] == ([2] if status is WAITING else [])


@pytest.mark.parametrize("status", [DONE, SKIPPED, RowStatus.FAILED, RowStatus.REVIEW, SENT, RowStatus.CANCELLED])
def test_the_sequence_goes_on_behind_whatever_has_ended(status: RowStatus) -> None:
    assert [change.order for change in advance(program("g*", "b"), standings(status, WAITING), 5.0)] == [2]


def test_a_gate_that_ended_out_of_order_holds_nothing_up_later() -> None:
    made = program("g*", "h*", "b")
    assert advance(made, standings(OPEN, DONE, WAITING), 500.0) == []
    assert advance(made, standings(DONE, DONE, WAITING), 900.0) == [Change(3, WAITING, PENDING, 900 + DAY)]


def test_what_is_behind_a_gate_that_ended_early_keeps_its_delay_after_the_steps_before() -> None:
    made = program("a", "g*", "b")
    standing = standings(Standing(PENDING, 5 * DAY), DONE, WAITING)
    assert advance(made, standing, 100.0) == [Change(3, WAITING, PENDING, 6 * DAY)]


def test_a_branch_is_taken_and_the_other_is_skipped_and_says_so() -> None:
    made = program({"c": {"then": ["t"], "else": ["e"]}}, "z")
    standing = {1: Standing(DONE, 0.0, "else")}
    assert advance(made, standing, 10.0) == [
        Change(2, WAITING, SKIPPED, reason="branch then not taken: c came to else"),
        Change(3, WAITING, PENDING, 10 + DAY),
        Change(4, WAITING, PENDING, 10 + 2 * DAY),
    ]


def test_what_is_within_a_branch_that_is_not_taken_is_skipped_with_it() -> None:
    made = program({"c": {"then": [{"d": {"then": ["t"], "else": ["e"]}}], "else": []}}, "z")
    changes = advance(made, {1: Standing(DONE, 0.0, "else")}, 0.0)
    assert [(change.order, change.status) for change in changes] == [
        (2, SKIPPED),
        (3, SKIPPED),
        (4, SKIPPED),
        (5, PENDING),
    ]
    assert {change.reason for change in changes[:3]} == {"branch then not taken: c came to else"}


def test_a_condition_that_was_skipped_takes_no_branch() -> None:
    made = program({"c": {"then": ["t"], "else": ["e"]}}, "z")
    changes = advance(made, {1: Standing(SKIPPED, 0.0)}, 0.0)
    assert [(change.order, change.status) for change in changes] == [(2, SKIPPED), (3, SKIPPED), (4, PENDING)]
    assert changes[0].reason == "branch then not taken: c is skipped"


def test_a_step_that_was_done_on_a_branch_that_is_not_taken_stays_done() -> None:
    made = program({"c": {"then": ["t*"], "else": []}})
    assert advance(made, {1: Standing(DONE, 0.0, "else"), 2: Standing(DONE)}, 0.0) == []


def test_what_has_not_begun_waits_again_when_a_gate_is_reopened() -> None:
    made = program("a", "g*", "b", "c", "h*")
    assert withdraw(made, standings(SENT, DONE, SENT, PENDING, PENDING), 2) == [
        Change(4, PENDING, WAITING),
        Change(5, PENDING, WAITING),
    ]


shapes = st.recursive(
    st.sampled_from(["plain", "gate*"]),
    lambda inner: st.fixed_dictionaries({"then": st.lists(inner, max_size=3), "else": st.lists(inner, max_size=3)}).map(
        lambda branches: {"condition": branches}
    ),
    max_leaves=12,
)


def renamed(shape: Any, numbers: list[int]) -> Any:
    """The same with a key of its own for each step."""
    numbers[0] += 1
    number = numbers[0]
    if isinstance(shape, str):
        return f"k{number}{'*' if shape.endswith('*') else ''}"
    ((_, branches),) = shape.items()
    return {f"k{number}": {name: [renamed(one, numbers) for one in inner] for name, inner in branches.items()}}


@st.composite
def programs(draw: st.DrawFn) -> Program:
    numbers = [0]
    return program(*[renamed(shape, numbers) for shape in draw(st.lists(shapes, min_size=1, max_size=5))])


class Run:
    """An enrollment that is gone through as workers and people would."""

    def __init__(self, made: Program) -> None:
        self.made = made
        self.now = 0.0
        self.rows = {place.order: Standing(WAITING) for place in made.places}
        self.ended_at: dict[int, float] = {}
        self.apply(advance(made, self.rows, 0.0))

    def apply(self, changes: list[Change]) -> None:
        for change in changes:
            assert self.rows[change.order].status is change.was
            assert self.rows[change.order].status in (WAITING, PENDING)
            if change.status is SKIPPED:
                assert change.reason is not None
                assert "not taken" in change.reason
            else:
                assert change.status is PENDING
                assert change.due_at is not None
                assert change.due_at >= self.now
            self.rows[change.order] = Standing(change.status, change.due_at)

    def next(self) -> int | None:
        """The first step that has not ended, as a worker would find it."""
        return next((order for order, row in self.rows.items() if row.status in BLOCKING), None)

    def end(self, order: int, outcome: str | None) -> None:
        place = self.made.places[order - 1]
        status = DONE if place.step.gate else SENT
        self.rows[order] = replace(self.rows[order], status=status, outcome=outcome)
        self.ended_at[order] = self.now
        if place.step.gate:
            self.apply(advance(self.made, self.rows, self.now))

    def no_step_overtakes(self) -> None:
        """Of the steps with a time, each is due its delay after those before it that have not ended."""
        before = 0.0
        for place in self.made.places:
            row = self.rows[place.order]
            if row.status is PENDING:
                assert row.due_at is not None
                assert row.due_at >= before
                before = row.due_at


@given(programs(), st.data())
def test_every_enrollment_comes_to_its_end_in_order(made: Program, data: st.DataObject) -> None:
    run = Run(made)
    for _ in range(len(made.places) + 1):
        order = run.next()
        if order is None:
            break
        run.no_step_overtakes()
        row, place = run.rows[order], made.places[order - 1]
        assert row.status is PENDING, "what is next has a time"
        assert row.due_at is not None
        run.now = max(run.now, row.due_at) + data.draw(st.sampled_from([0.0, 1.0, DAY]))
        later = [
            other.order
            for other in made.places
            if other.order > order and other.type == "call" and run.rows[other.order].status in (WAITING, PENDING)
        ]
        if later and data.draw(st.booleans()):
            run.end(data.draw(st.sampled_from(later)), None)
        run.end(order, data.draw(st.sampled_from(["then", "else"])) if place.type == "condition" else None)
    assert run.next() is None, "after all gates are resolved nothing waits"
    for place in made.places:
        reason = not_taken(made, place, run.rows)
        status = run.rows[place.order].status
        assert status is SKIPPED if reason is not None and place.order not in run.ended_at else status in (DONE, SENT)


@given(programs(), st.data())
def test_planning_is_deterministic_and_planning_again_changes_nothing(made: Program, data: st.DataObject) -> None:
    run = Run(made)
    while (order := run.next()) is not None:
        place = made.places[order - 1]
        run.end(order, data.draw(st.sampled_from(["then", "else"])) if place.type == "condition" else None)
        assert advance(made, run.rows, run.now) == []
        assert advance(made, run.rows, run.now + DAY) == []


@given(programs(), st.data())
def test_a_gate_that_is_reopened_and_done_again_comes_to_the_same(made: Program, data: st.DataObject) -> None:
    run = Run(made)
    gates = [place.order for place in made.places if place.step.gate]
    while (order := run.next()) is not None:
        place = made.places[order - 1]
        run.end(order, data.draw(st.sampled_from(["then", "else"])) if place.type == "condition" else None)
        if order in gates and place.type == "call":
            planned = dict(run.rows)
            for change in withdraw(made, run.rows, order):
                run.rows[change.order] = Standing(change.status)
            run.rows[order] = replace(run.rows[order], status=OPEN)
            assert all(row.status is not PENDING for number, row in run.rows.items() if number > order)
            run.end(order, None)
            assert run.rows == planned
