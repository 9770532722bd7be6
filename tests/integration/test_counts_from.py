"""The steps behind a step count from the moment it ended, however it ended, and whatever was paused meanwhile."""

from datetime import timedelta
from itertools import count
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from listening import hear
from pauser import Pauser
from people_at_work import act, until_step
from stage_site import Site, wait_for

from engine.errors import InvalidInput
from engine.outbox.tasks import NewTask, open_task
from producers.altering import delete_step, reschedule
from producers.explaining import explain_enrollment
from producers.migrating import plan_migration, run_migration
from producers.operator import Operator
from producers.steering import skip
from producers.tasks.listing import tasks
from schema.definition import Delay
from schema.states import SignalKind, TaskState

WHO: Final = Operator("default", "ann", "they asked")

TWO_CALLS: Final = """
sequence: follow-up
steps:
  - {key: one, type: call}
  - {key: two, type: call, delay: 1 day}
  - {key: three, type: sms, delay: 1 day, body: Hi}
"""

WAITS: Final = """
sequence: follow-up
exit_on: []
steps:
  - {key: a, type: sms, body: Hello}
  - {key: w, type: wait, until: {replied: a, within: 30 days}}
  - {key: b, type: sms, delay: 1 day, body: Thanks}
"""

BRANCHES: Final = """
sequence: follow-up
steps:
  - {key: call, type: call}
  - {key: w, type: wait, until: {attribute: {plan: pro}, within: 30 days}}
  - key: rich
    type: condition
    if: {attribute: {plan: pro}}
    then: [{key: glad, type: sms, delay: 1 day, body: Glad}]
    else: [{key: sad, type: sms, delay: 1 day, body: Sad}, {key: sorry, type: sms, delay: 1 day, body: Sorry}]
  - {key: bye, type: sms, delay: 1 day, body: Bye}
"""

SCOPES: Final = pytest.mark.parametrize("scope", ["enrollment", "sequence", "workspace"])


def days(site: Site, key: str, enrollment: int = 1) -> float | None:
    """In how many days from now a step is due."""
    ((due,),) = site.world.query(
        "SELECT (extract(epoch FROM due_at - sequence_now()) / 86400)::float8 FROM outbox"
        " WHERE enrollment_id = %s AND step_key = %s",
        enrollment,
        key,
    )
    return None if due is None else round(due, 2) + 0.0


def statuses(site: Site, enrollment: int = 1) -> dict[str, str]:
    """The status of each step."""
    return dict(
        site.world.query("SELECT step_key, status FROM outbox WHERE enrollment_id = %s ORDER BY step_order", enrollment)
    )


@pytest.fixture
def calls(site: Site) -> Site:
    site.world.publish(TWO_CALLS)
    site.enroll("follow-up")
    return site


def test_no_message_goes_out_early_behind_a_task_that_was_skipped_late(calls: Site) -> None:
    with calls.working():
        until_step(calls, "one", "open")
        calls.jump(10)
        act(calls, "skip", 1, "one")
        delete_step(calls.world.database, calls.wakeups, WHO, 1, "two")
        assert days(calls, "three") == 1
        assert statuses(calls)["three"] == "pending"


def test_a_migration_counts_from_the_moment_at_which_a_task_was_skipped(calls: Site) -> None:
    world = calls.world
    with calls.working():
        until_step(calls, "one", "open")
        calls.jump(10)
        act(calls, "skip", 1, "one")
        world.publish(TWO_CALLS.replace("  - {key: two, type: call, delay: 1 day}\n", ""))
        plan = plan_migration(world.database, "default", "follow-up")
        run_migration(world.database, calls.wakeups, WHO, plan.target)
        assert days(calls, "three") == 1


@pytest.mark.parametrize("first", ["skip", "complete"])
def test_a_task_that_was_skipped_before_its_time_adds_no_delay(calls: Site, first: str) -> None:
    with calls.working():
        until_step(calls, "one", "open")
        calls.jump(10)
        acts = [lambda: act(calls, "complete", 1, "one"), lambda: act(calls, "skip", 1, "two")]
        for one in acts if first == "complete" else reversed(acts):
            one()
        assert days(calls, "three") == 1


def test_steps_are_skipped_while_they_wait(calls: Site) -> None:
    with calls.working():
        until_step(calls, "one", "open")
        calls.jump(3)
        done = skip(calls.world.database, calls.wakeups, WHO, 1, "two")
        assert (done.changed, done.steps) == (True, ["two"])
        assert statuses(calls) == {"one": "open", "two": "skipped", "three": "waiting"}
        done = skip(calls.world.database, calls.wakeups, WHO, 1, "three", to=True)
        assert done.steps == ["one"]
        assert days(calls, "three") == 1
        with calls.world.database.transaction() as session:
            (one, two) = tasks(session, 1, (TaskState.SKIPPED,))
        assert one.step == "one"
        assert one.ended_by == "ann"
        assert two.reason == "skipped by an operator"


def test_skipping_ahead_passes_over_tasks_waits_and_conditions(site: Site) -> None:
    site.world.publish(BRANCHES)
    site.enroll("follow-up")
    with site.working():
        until_step(site, "call", "open")
        done = skip(site.world.database, site.wakeups, WHO, 1, "sorry", to=True)
        assert done.steps == ["call", "w", "rich", "sad"]
        assert statuses(site) == {
            "call": "skipped",
            "w": "skipped",
            "rich": "done",
            "glad": "skipped",
            "sad": "skipped",
            "sorry": "pending",
            "bye": "pending",
        }
        assert days(site, "sorry") == 1
        assert days(site, "bye") == 2
    told = {step["step"]: step["reason"] for step in explain_enrollment(site.world.database, "default", 1).steps}
    assert told["rich"] == "decided by an operator, who skipped ahead"
    assert told["glad"] == "branch then not taken: rich came to else"
    with pytest.raises(InvalidInput, match="step glad of enrollment 1 is skipped"):
        skip(site.world.database, site.wakeups, WHO, 1, "glad", to=True)


def test_a_wait_that_has_begun_is_skipped(site: Site) -> None:
    site.world.publish(WAITS)
    site.enroll("follow-up")
    with site.working():
        until_step(site, "a", "sent")
        site.jump(4)
        skip(site.world.database, site.wakeups, WHO, 1, "w")
        assert days(site, "b") == 1


@SCOPES
@pytest.mark.parametrize("how", ["complete", "skip"])
def test_a_task_that_ends_during_a_pause_counts_that_pause_once(calls: Site, scope: str, how: str) -> None:
    pauser = Pauser(calls.world, calls.wakeups, scope)
    with calls.working():
        until_step(calls, "one", "open")
        pauser.pause()
        calls.jump(3)
        act(calls, how, 1, "one")
        calls.jump(2)
        pauser.resume()
        assert days(calls, "two") == 1
        act(calls, "skip", 1, "two")
        assert days(calls, "three") == 1


@SCOPES
def test_what_the_steps_behind_count_from_moves_with_a_pause(site: Site, scope: str) -> None:
    """A step is deleted after the pause: the next one keeps what remained of its delay."""
    site.world.publish(
        """
sequence: follow-up
steps:
  - {key: a, type: sms, body: Hi}
  - {key: b, type: sms, delay: 2 days, body: Hi}
  - {key: c, type: sms, delay: 2 days, body: Hi}
"""
    )
    site.enroll("follow-up")
    pauser = Pauser(site.world, site.wakeups, scope)
    with site.working():
        until_step(site, "a", "sent")
        site.jump(0.5)
        pauser.pause()
        site.jump(7)
        pauser.resume()
        assert days(site, "b") == 1.5
        delete_step(site.world.database, site.wakeups, WHO, 1, "b")
        assert days(site, "c") == 1.5
        assert statuses(site)["c"] == "pending"


def test_a_moment_that_an_operator_gives_during_a_pause_stays(calls: Site) -> None:
    pauser = Pauser(calls.world, calls.wakeups, "enrollment")
    with calls.working():
        until_step(calls, "one", "open")
        pauser.pause()
        calls.jump(3)
        act(calls, "complete", 1, "one")
        act(calls, "snooze", 1, "two", timedelta(days=4))
        calls.jump(1)
        pauser.resume()
        assert days(calls, "two") == 4


@SCOPES
def test_a_reply_during_a_pause_ends_the_wait(site: Site, scope: str) -> None:
    site.world.publish(WAITS)
    site.enroll("follow-up")
    pauser = Pauser(site.world, site.wakeups, scope)
    with site.working():
        until_step(site, "a", "sent")
        wait_for(lambda: site.world.rows("outcome", "step_key = 'w'") == [("undecided",)], "the wait begins")
        site.jump(1)
        pauser.pause()
        site.jump(40)
        hear(site, SignalKind.REPLIED, email="user1@example.com")
        assert statuses(site) == {"a": "sent", "w": "done", "b": "pending"}
        site.jump(1)
        pauser.resume()
        assert days(site, "b") == 1
        assert statuses(site)["b"] == "pending"


VERSION: Final = """
sequence: {key}
steps:
  - {{key: one, type: call}}
  - {{key: two, type: call, delay: 1 day}}
  - {{key: three, type: sms, delay: 2 days, body: Hi}}
  - {{key: four, type: sms, delay: 3 days, body: Hi {number}}}
  - {{key: five, type: sms, delay: 4 days, body: Hi}}
"""

DELAYS: Final = {"two": 1, "three": 2, "four": 3, "five": 4}

#: What an operator or a person does to each step, at most one thing a step.
WHAT: Final = {
    "one": ("nothing", "complete", "skip"),
    "two": ("nothing", "complete", "skip", "delete"),
    "three": ("nothing", "pass", "delete", "reschedule"),
    "four": ("nothing", "pass", "delete", "reschedule"),
}


@st.composite
def stories(draw: st.DrawFn) -> tuple[int, list[tuple[str, str]], list[tuple[str, str]], int, int]:
    """Days that pass; the same acts in two orders; and behind how many acts of each the version changes."""
    chosen = [(key, draw(st.sampled_from(what))) for key, what in WHAT.items()]
    acts = [(key, what) for key, what in chosen if what != "nothing"]
    return (
        draw(st.integers(1, 12)),
        draw(st.permutations(acts)),
        draw(st.permutations(acts)),
        draw(st.integers(0, len(acts))),
        draw(st.integers(0, len(acts))),
    )


def open_first_task(site: Site, sequence: str) -> None:
    """Do what a worker does with a task that is due."""
    rows = site.world.query(
        """
        SELECT o.workspace_id, o.enrollment_id, o.id, o.type FROM outbox o
        JOIN enrollments e ON e.id = o.enrollment_id JOIN sequences s ON s.id = e.sequence_id
        WHERE s.key = %s AND o.step_order = 1
        """,
        sequence,
    )
    with site.world.database.transaction() as session:
        for workspace_id, enrollment_id, row_id, kind in rows:
            open_task(session, NewTask(workspace_id, enrollment_id, row_id, kind, "one", None, "medium", None))


def test_any_order_of_acts_gives_the_same_times_and_no_message_before_its_delay(site: Site) -> None:
    database, wakeups, numbers = site.world.database, site.wakeups, count(1)

    def do(enrollment: int, key: str, what: str) -> None:
        if what in ("complete", "skip"):
            act(site, what, enrollment, key)
        elif what == "pass":
            skip(database, wakeups, WHO, enrollment, key)
        elif what == "delete":
            delete_step(database, wakeups, WHO, enrollment, key)
        else:
            reschedule(database, wakeups, WHO, enrollment, key, delay=Delay(days=5))

    @settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
    @given(story=stories())
    def tell(story: tuple[int, list[tuple[str, str]], list[tuple[str, str]], int, int]) -> None:
        passed, one_order, other_order, one_split, other_split = story
        number = next(numbers)
        key, first, second = f"p{number}", 2 * number - 1, 2 * number
        site.world.publish(VERSION.format(key=key, number=1))
        site.enroll(key, 2)
        open_first_task(site, key)
        site.jump(passed)
        acts: tuple[tuple[int, list[tuple[str, str]], int], ...] = (
            (first, one_order, one_split),
            (second, other_order, other_split),
        )
        for enrollment, order, split in acts:
            for step, what in order[:split]:
                do(enrollment, step, what)
        site.world.publish(VERSION.format(key=key, number=2))
        moved = run_migration(database, wakeups, WHO, plan_migration(database, "default", key).target)
        assert moved.moved == 2
        for enrollment, order, split in acts:
            for step, what in order[split:]:
                do(enrollment, step, what)
        assert statuses(site, first) == statuses(site, second)
        coming = [step for step, status in statuses(site, first).items() if status == "pending"]
        for step in coming:
            due = days(site, step, first)
            assert due == days(site, step, second)
            assert due is not None
            assert due >= DELAYS[step]

    tell()
