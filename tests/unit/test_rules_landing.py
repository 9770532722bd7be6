"""Where an enrollment lands in another version: by examples, and whatever the versions and wherever it stands."""

from dataclasses import replace
from typing import Any

import pytest
from branches import program
from hypothesis import given
from hypothesis import strategies as st

from engine.rules.landing import Landed, Landing, LeftAlone, Row, land
from engine.rules.planner import Standing, advance, after_delay
from engine.rules.planning import not_before
from engine.rules.program import Program
from schema.definition import Delay
from schema.states import BLOCKING, UNDECIDED, RowStatus

DAY = 86_400.0
DONE, OPEN, PENDING, SENT, SKIPPED, WAITING = (
    RowStatus.DONE,
    RowStatus.OPEN,
    RowStatus.PENDING,
    RowStatus.SENT,
    RowStatus.SKIPPED,
    RowStatus.WAITING,
)


class Run:
    """An enrollment that goes through a version."""

    def __init__(self, made: Program) -> None:
        self.made = made
        self.now = 0.0
        self.rows = {place.order: Standing(WAITING) for place in made.places}
        self.apply()

    def apply(self) -> None:
        for change in advance(self.made, self.rows, self.now):
            self.rows[change.order] = Standing(change.status, change.due_at)

    def next(self) -> int | None:
        return next((order for order, row in self.rows.items() if row.status in BLOCKING), None)

    def end(self, outcome: str = "then") -> None:
        """End the step that is next."""
        order = self.next()
        assert order is not None
        place = self.made.places[order - 1]
        row = self.rows[order]
        self.now = max(self.now, row.due_at or 0.0)
        took = outcome if place.type == "condition" else None
        self.rows[order] = replace(row, status=DONE if place.step.gate else SENT, outcome=took)
        self.apply()

    def all(self) -> list[Row]:
        return [Row(place.order, place.key, place.type, self.rows[place.order]) for place in self.made.places]


def through(made: Program, *steps: str) -> Run:
    """An enrollment that has these behind it."""
    run = Run(made)
    for _ in steps:
        run.end()
    return run


def landed(run: Run, new: Program, rows: list[Row] | None = None) -> Landing | LeftAlone:
    timing = not_before(after_delay, run.now)
    return land(run.made, new, rows or run.all(), number=2, ended=run.now, timing=timing)


def after(landing: Landing | LeftAlone) -> dict[str, tuple[RowStatus, float | None]]:
    """How the steps stand in the new version, in their order, with the days at which they are due."""
    assert isinstance(landing, Landing)
    steps = {step.order: step.standing for step in landing.steps}
    for change in landing.changes:
        assert steps[change.order].status is change.was
        steps[change.order] = Standing(change.status, change.due_at)
    return {
        step.key: (
            steps[step.order].status,
            None if (due := steps[step.order].due_at) is None or steps[step.order].status is SKIPPED else due / DAY,
        )
        for step in sorted(landing.steps, key=lambda step: step.order)
    }


def test_who_stands_at_a_step_that_is_in_both_stays_at_it_with_its_time() -> None:
    assert after(landed(through(program("a", "b", "c"), "a"), program("a", "b", "c", "d"))) == {
        "a": (SENT, 1.0),
        "b": (PENDING, 2.0),
        "c": (PENDING, 3.0),
        "d": (PENDING, 4.0),
    }


def test_a_new_delay_counts_from_the_step_before() -> None:
    moved = landed(through(program("a", "b", "c"), "a"), program("a", "b", "c", delay=Delay(days=3)))
    assert after(moved) == {"a": (SENT, 1.0), "b": (PENDING, 4.0), "c": (PENDING, 7.0)}


def test_a_shorter_delay_that_is_over_lets_it_go_now_and_not_in_the_past() -> None:
    run = through(program("a", "b", "c", delay=Delay(days=5)), "a")
    run.now = 9 * DAY
    timing = not_before(after_delay, run.now)
    moved = land(run.made, program("a", "b", "c"), run.all(), number=2, ended=5 * DAY, timing=timing)
    assert after(moved) == {"a": (SENT, 5.0), "b": (PENDING, 9.0), "c": (PENDING, 10.0)}


def test_who_stands_at_a_step_that_is_gone_lands_at_the_next_that_is_in_both() -> None:
    moved = landed(through(program("a", "b", "c"), "a"), program("a", "x", "c", "y"))
    assert isinstance(moved, Landing)
    assert (moved.at, moved.to) == ("b", "c")
    assert after(moved) == {
        "b": (SKIPPED, None),
        "a": (SENT, 1.0),
        "x": (SKIPPED, None),
        "c": (PENDING, 2.0),
        "y": (PENDING, 3.0),
    }


def test_without_any_step_in_both_it_lands_at_the_first_new_one_behind_what_has_ended() -> None:
    moved = landed(through(program("a", "b"), "a"), program("x", "a", "y", "z"))
    assert isinstance(moved, Landing)
    assert moved.to == "y"
    assert list(after(moved).values()) == [
        (SKIPPED, None),
        (SKIPPED, None),
        (SENT, 1.0),
        (PENDING, 2.0),
        (PENDING, 3.0),
    ]


def test_nothing_may_be_left_to_do() -> None:
    moved = landed(through(program("a", "b"), "a"), program("x", "a"))
    assert isinstance(moved, Landing)
    assert moved.to is None
    assert not {status for status, _ in after(moved).values()} & set(BLOCKING)


def test_no_step_that_is_still_to_come_is_lost_when_steps_change_places() -> None:
    moved = landed(through(program("a", "b", "c"), "a"), program("a", "c", "b"))
    assert after(moved) == {"a": (SENT, 1.0), "c": (PENDING, 2.0), "b": (PENDING, 3.0)}


def test_what_was_passed_over_comes_back_with_a_version_that_has_it_behind() -> None:
    run = through(program("a", "c"), "a")
    rows = [Row(0, "b", "sms", Standing(SKIPPED, 5.0), passed_over=True), *run.all()]
    assert after(landed(run, program("a", "c", "b"), rows)) == {
        "a": (SENT, 1.0),
        "c": (PENDING, 2.0),
        "b": (PENDING, 3.0),
    }


def test_an_open_task_stays_open_and_holds_the_new_steps() -> None:
    run = through(program("a", "g*", "b"), "a")
    run.rows[2] = replace(run.rows[2], status=OPEN)
    assert after(landed(run, program("a", "g*", "x", "b"))) == {
        "a": (SENT, 1.0),
        "g": (OPEN, 2.0),
        "x": (WAITING, None),
        "b": (WAITING, None),
    }


def test_what_had_its_time_waits_behind_a_new_gate() -> None:
    moved = landed(through(program("a", "b", "c"), "a"), program("a", "b", "g*", "c"))
    assert [status for status, _ in after(moved).values()] == [SENT, PENDING, PENDING, WAITING]


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (RowStatus.SENDING, "handed over"),
        (RowStatus.UNKNOWN, "may have been accepted"),
        (RowStatus.REVIEW, "waits for a decision"),
    ],
)
def test_what_is_in_somebodys_hands_is_left_alone(status: RowStatus, says: str) -> None:
    run = through(program("a", "b", "c"), "a")
    run.rows[2] = replace(run.rows[2], status=status)
    found = landed(run, program("a", "b"))
    assert isinstance(found, LeftAlone)
    assert says in found.reason


def test_an_email_that_is_to_be_sent_once_more_is_left_alone() -> None:
    run = through(program("a", "b"), "a")
    rows = [replace(row, in_doubt=row.key == "b") for row in run.all()]
    assert isinstance(landed(run, program("a"), rows), LeftAlone)


BRANCH = {"q": {"then": ["t", "u"], "else": ["e"]}}


@pytest.mark.parametrize(
    "new",
    [
        program("a", "t", "u", "z"),
        program("a", {"g": {"then": [BRANCH], "else": []}}, "z"),
        program("a", {"q": {"then": ["u"], "else": ["t"]}}, "z"),
        program("a", {"q": {"else": ["e"]}}, "z"),
        program("a", "q", "t", "z"),
    ],
)
def test_who_is_in_a_branch_that_is_not_there_is_left_alone(new: Program) -> None:
    run = through(program("a", BRANCH, "z"), "a", "q")
    found = landed(run, new)
    assert isinstance(found, LeftAlone)
    assert "branch" in found.reason


def test_within_a_branch_it_goes_on_in_the_same_branch() -> None:
    run = through(program("a", BRANCH, "z"), "a", "q")
    moved = landed(run, program("a", {"q": {"then": ["u", "v"], "else": ["e", "f"]}}, "z"))
    assert after(moved) == {
        "t": (SKIPPED, None),
        "a": (SENT, 1.0),
        "q": (DONE, 2.0),
        "u": (PENDING, 3.0),
        "v": (PENDING, 4.0),
        "e": (SKIPPED, None),
        "f": (SKIPPED, None),
        "z": (PENDING, 5.0),
    }


KEYS = "abcdefgh"


@st.composite
def versions(draw: st.DrawFn) -> Program:
    """Any version made of a few keys: what is a message in one may be a gate in another."""
    keys = draw(st.permutations(KEYS))[: draw(st.integers(1, len(KEYS)))]

    def shapes(depth: int) -> list[Any]:
        found: list[Any] = []
        while keys and draw(st.integers(0, 4)):
            key = keys.pop()
            kind = draw(st.sampled_from(["", "", "*", "?"])) if depth < 2 else ""
            if kind == "?":
                found.append({key: {"then": shapes(depth + 1), "else": shapes(depth + 1)}})
            else:
                found.append(key + kind)
        return found

    first = keys.pop()
    return program(first, *shapes(0), delay=Delay(days=draw(st.sampled_from([1, 2]))))


@st.composite
def stood(draw: st.DrawFn) -> Run:
    """An enrollment anywhere in a version."""
    run = Run(draw(versions()))
    for _ in range(draw(st.integers(0, len(KEYS)))):
        if run.next() is not None:
            run.end(draw(st.sampled_from(["then", "else"])))
    order = run.next()
    if order is not None and draw(st.booleans()):
        row, kind = run.rows[order], run.made.places[order - 1].type
        if kind == "call":
            run.rows[order] = replace(row, status=OPEN)
        elif kind == "condition":
            run.rows[order] = replace(row, outcome=UNDECIDED)
    return run


@given(stood(), versions())
def test_wherever_it_stands_it_lands_where_it_can_go_on(run: Run, new: Program) -> None:
    moved = landed(run, new)
    live = [row for row in run.all() if not row.standing.has_ended]
    if isinstance(moved, LeftAlone):
        assert "branch" in moved.reason or "has begun as" in moved.reason or not live
        return
    assert moved.at == live[0].key
    steps = {step.order: step for step in moved.steps}
    assert len(steps) == len(moved.steps), "no two steps have one place"
    assert [step.key for order, step in sorted(steps.items()) if order > 0] == [place.key for place in new.places]
    assert sorted(step.was.order for step in moved.steps if step.was) == [row.order for row in run.all()]
    for step in moved.steps:
        assert_stays(step, new)
    whole = Run(new)
    whole.now, whole.rows = run.now, {order: step.standing for order, step in sorted(steps.items())}
    for change in moved.changes:
        assert whole.rows[change.order].status is change.was
        whole.rows[change.order] = Standing(change.status, change.due_at)
    # Nothing goes out closer to what went out before than its delay, nor in the past, and no step overtakes.
    before, first = run.now, True
    for place in new.places:
        row = whole.rows[place.order]
        if row.status is PENDING and row.outcome != UNDECIDED:
            assert row.due_at is not None
            assert row.due_at >= before
            assert not first or row.due_at >= run.now + place.step.delay.total_seconds()
            before, first = row.due_at, False
    at = whole.next()
    if at is None:
        assert moved.to is None or not {place.key for place in new.places} & {row.key for row in live}
        return
    # It has a time, or is with a person; and the way to the end is open.
    assert whole.rows[at].status in (PENDING, OPEN)
    assert at == new.by_key[moved.to or ""].order or whole.rows[new.by_key[moved.to or ""].order].has_ended
    ended = {order for order, row in whole.rows.items() if row.has_ended}
    for _ in range(len(new.places) + 1):
        if (order := whole.next()) is None:
            break
        assert whole.rows[order].status is not WAITING
        assert order not in ended
        whole.rows[order] = replace(whole.rows[order], outcome=None)
        whole.end()
    assert whole.next() is None


def assert_stays(step: Landed, new: Program) -> None:
    """What has ended stays as it is; what is gone is skipped; nothing else is lost."""
    if step.was is None:
        assert step.standing.status in (WAITING, SKIPPED)
    elif step.was.standing.has_ended:
        assert step.standing == step.was.standing
        assert step.stays
    elif step.key not in new.by_key:
        assert step.standing.status is SKIPPED
        assert step.order <= 0
    else:
        assert step.standing.status in BLOCKING


@given(stood())
def test_the_same_version_changes_nothing(run: Run) -> None:
    moved = landed(run, run.made)
    if isinstance(moved, LeftAlone):
        assert run.next() is None
        return
    assert moved.changes == ()
    assert [step.standing for step in moved.steps] == list(run.rows.values())


@given(stood(), versions(), versions())
def test_it_may_move_again_and_again_and_nothing_ended_is_ever_to_come(
    run: Run, second: Program, third: Program
) -> None:
    ended = {row.key for row in run.all() if row.standing.has_ended}
    rows, made = run.all(), run.made
    for new in (second, third):
        moved = land(made, new, rows, number=2, ended=run.now, timing=not_before(after_delay, run.now))
        if isinstance(moved, LeftAlone):
            return
        standing = {step.order: step.standing for step in moved.steps}
        for change in moved.changes:
            standing[change.order] = Standing(change.status, change.due_at)
        rows = [
            Row(
                step.order,
                step.key,
                step.type,
                standing[step.order],
                passed_over=standing[step.order].status is SKIPPED and (step.reason or "").startswith("version"),
            )
            for step in moved.steps
        ]
        made = new
        assert not ended & {row.key for row in rows if not row.standing.has_ended}
