"""Human tasks: they hold the sequence until somebody has said that they are done."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from pauser import Pauser
from people_at_work import act, due, states, until_step
from stage_site import Site, wait_for

from engine.errors import InvalidInput, NotFound
from engine.outbox.leave import leave
from producers.altering import assignee_of_active, delete_step
from producers.explaining import explain_enrollment
from producers.operator import Operator
from producers.steering import cancel
from producers.tasks import by_hand
from producers.tasks.acts import complete
from producers.tasks.listing import LIST, Task, Wanted, tasks
from schema.states import TaskState

DAY = 86_400.0

LINE = """
sequence: line
assignee: "{{ custom.owner }}"
steps:
  - {key: hello, type: sms, body: Hi}
  - {key: call, type: call, delay: 1 day, outcomes: [yes_please, no_thanks],
     description: "Ask {{ contact.first_name }}"}
  - {key: note, type: internal_activity, delay: 1 day, assignee: maria, priority: high, name: Write it down}
  - {key: bye, type: sms, delay: 2 days, body: Bye}
"""


@pytest.fixture
def line(site: Site) -> Site:
    site.world.publish(LINE)
    site.enroll("line", first_name="Ann", attributes={"owner": "olaf"})
    return site


def listed(site: Site, *wanted: TaskState, **only: Any) -> list[Task]:
    with site.world.database.transaction() as session:
        return tasks(session, 1, wanted or (TaskState.ACTIVE,), Wanted(**only))


def until_call(site: Site) -> None:
    """Go on until the call is to be made."""
    until_step(site, "hello", "sent")
    site.jump(1)
    until_step(site, "call", "open")


def test_a_task_becomes_active_when_it_is_due_and_holds_the_rest(line: Site) -> None:
    with line.working():
        until_step(line, "hello", "sent")
        assert line.world.rows("step_key, status, due_at IS NULL") == [
            ("hello", "sent", False),
            ("call", "pending", False),
            ("note", "waiting", True),
            ("bye", "waiting", True),
        ]
        assert states(line, 1) == {"call": "pending", "note": "pending"}
        assert listed(line) == []
        line.jump(1)
        until_step(line, "call", "open")
        line.jump(100)
        (task,) = listed(line)
        assert (task.name, task.description, task.assignee, task.priority) == ("call", "Ask Ann", "olaf", "medium")
        assert states(line, 1) == {"call": "active", "note": "pending"}
        assert line.world.statuses() == ["sent", "open", "waiting", "waiting"]


def test_what_is_behind_a_task_counts_from_its_completion(line: Site) -> None:
    with line.working():
        until_call(line)
        line.jump(2)
        act(line, "complete", 1, "call", outcome="yes_please", note="She was happy", by="olaf")
        late = due(line, "note")
        assert late is not None
        assert 4 * DAY <= late < 4.01 * DAY
        line.jump(1)
        until_step(line, "note", "open")
        act(line, "complete", 1, "note")
        line.jump(2)
        until_step(line, "bye", "sent")
    assert line.world.query("SELECT status FROM enrollments") == [("completed",)]
    assert line.world.rows("outcome, reason", "step_key = 'call'") == [("yes_please", "completed by olaf")]
    (call, note) = listed(line, TaskState.COMPLETED)
    assert (call.outcome, call.note, call.ended_by) == ("yes_please", "She was happy", "olaf")
    assert (note.name, note.assignee, note.priority) == ("Write it down", "maria", "high")
    assert sorted(line.accepted().values()) == [1, 1]


def test_a_task_can_be_done_early_and_twice_is_once(line: Site) -> None:
    with line.working():
        until_step(line, "hello", "sent")
        with pytest.raises(InvalidInput, match="needs an outcome: `--outcome`, one of yes_please, no_thanks"):
            act(line, "complete", 1, "call")
        assert act(line, "complete", 1, "call", outcome="yes_please").warnings == []
        assert not act(line, "complete", 1, "call").changed
        assert not act(line, "complete", 1, "call", outcome="yes_please").changed
        assert line.world.statuses() == ["sent", "done", "pending", "waiting"]
        first = due(line, "note")
        assert first is not None
        assert DAY <= first < 1.01 * DAY
        assert act(line, "complete", 1, "call", outcome="no_thanks").changed
        assert line.world.rows("outcome", "step_key = 'call'") == [("no_thanks",)]
        assert abs((due(line, "note") or 0) - first) < 1
        act(line, "complete", 1, "note")
        with pytest.raises(InvalidInput, match="the outcome of task 'call' can't be corrected: note has begun"):
            act(line, "complete", 1, "call", outcome="yes_please")


def test_a_task_that_is_done_out_of_order_warns_and_the_others_still_hold(line: Site) -> None:
    with line.working():
        until_call(line)
        acted = act(line, "complete", 1, "note")
        assert acted.warnings == ["out of order: before it call is not done yet"]
        assert line.world.statuses() == ["sent", "open", "done", "waiting"]
        act(line, "complete", 1, "call", outcome="yes_please")
        assert line.world.statuses() == ["sent", "done", "done", "pending"]
        line.jump(2)
        until_step(line, "bye", "sent")
    assert line.world.query("SELECT status FROM enrollments") == [("completed",)]


def test_the_last_task_completes_the_enrollment(site: Site) -> None:
    site.world.publish("sequence: only\nsteps: [{key: it, type: manual_email}]")
    site.enroll("only")
    with site.working():
        until_step(site, "it", "open")
        act(site, "complete", 1, "it")
    assert site.world.query("SELECT status, completed_at IS NOT NULL FROM enrollments") == [("completed", True)]


def test_twenty_completions_at_the_same_moment_advance_once(line: Site) -> None:
    with line.working():
        until_call(line)
    begin = threading.Barrier(20)
    changed: list[bool] = []

    def complete_it() -> None:
        begin.wait()
        with line.world.database.transaction() as session:
            changed.append(complete(session, 1, 1, "call", outcome="yes_please").changed)

    people = [threading.Thread(target=complete_it) for _ in range(20)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert sorted(changed) == [False] * 19 + [True]
    assert line.world.rows("step_key, status, fence") == [
        ("hello", "sent", 2),
        ("call", "done", 2),
        ("note", "pending", 1),
        ("bye", "waiting", 0),
    ]


def test_a_completion_and_the_end_of_the_enrollment_at_the_same_moment(line: Site) -> None:
    """Either the task is done and the rest is cancelled, or all of it: nothing is planned for who has left."""
    with line.working():
        until_call(line)
        for _ in range(15):
            line.enroll("line")
        line.jump(1)
        until_step(line, "call", "open")
    for enrollment, contact in line.world.query("SELECT id, contact_id FROM enrollments ORDER BY id"):
        begin = threading.Barrier(2)

        def complete_it(begin: threading.Barrier = begin, enrollment: int = enrollment) -> None:
            begin.wait()
            with line.world.database.transaction() as session:
                try:
                    complete(session, 1, enrollment, "call", outcome="no_thanks")
                except InvalidInput as error:
                    assert "has ended early" in str(error)

        def end_it(begin: threading.Barrier = begin, contact: int = contact) -> None:
            begin.wait()
            with line.world.database.transaction() as session:
                leave(session, 1, contact, "replied")

        both = [threading.Thread(target=complete_it), threading.Thread(target=end_it)]
        for one in both:
            one.start()
        for one in both:
            one.join()
        statuses = [status for (status,) in line.world.rows("status", f"enrollment_id = {enrollment}")]
        assert statuses[1] in ("done", "cancelled")
        assert statuses[2:] == ["cancelled", "cancelled"]


def test_a_cancelled_enrollment_keeps_its_tasks_marked(line: Site) -> None:
    with line.working():
        until_call(line)
    with line.world.database.transaction() as session:
        leave(session, 1, 1, "replied")
    found = listed(line, TaskState.CANCELLED)
    assert [(task.step, task.name, task.exit_reason) for task in found] == [
        ("call", "call", "replied"),
        ("note", "Write it down", "replied"),
    ]
    for deed in ("complete", "skip", "reopen"):
        with pytest.raises(InvalidInput, match=r"its enrollment 1 has ended early \(replied\)"):
            act(line, deed, 1, "call")


def test_a_task_that_is_skipped_lets_the_sequence_go_on(line: Site) -> None:
    with line.working():
        until_call(line)
        act(line, "skip", 1, "call", by="olaf")
        assert not act(line, "skip", 1, "call").changed
        assert line.world.rows("status, reason", "step_key = 'call'") == [("skipped", "skipped by a person: olaf")]
        assert states(line, 1) == {"call": "skipped", "note": "pending"}
        with pytest.raises(InvalidInput, match="can't be completed: it is skipped"):
            act(line, "complete", 1, "call", outcome="yes_please")
        line.jump(1)
        until_step(line, "note", "open")


def test_a_task_that_is_reopened_holds_the_rest_again(line: Site) -> None:
    with line.working():
        until_call(line)
        act(line, "complete", 1, "call", outcome="no_thanks")
        acted = act(line, "reopen", 1, "call")
        assert (acted.changed, acted.warnings) == (True, [])
        assert line.world.rows("status, outcome, due_at IS NULL") == [
            ("sent", None, False),
            ("open", None, False),
            ("waiting", None, True),
            ("waiting", None, True),
        ]
        assert not act(line, "reopen", 1, "call").changed
        line.jump(3)
        assert line.world.statuses() == ["sent", "open", "waiting", "waiting"]
        act(line, "complete", 1, "call", outcome="yes_please")
        line.jump(1)
        until_step(line, "note", "open")
        act(line, "complete", 1, "note")
        line.jump(2)
        until_step(line, "bye", "sent")
        acted = act(line, "reopen", 1, "note")
        assert acted.warnings == ["these had gone on meanwhile, and stay as they are: bye"]
        assert line.world.query("SELECT status FROM enrollments") == [("active",)]
        act(line, "complete", 1, "note")
    assert line.world.query("SELECT status FROM enrollments") == [("completed",)]
    assert sorted(line.accepted().values()) == [1, 1]


def test_a_task_that_was_done_out_of_order_and_is_reopened_waits_for_its_time(line: Site) -> None:
    with line.working():
        until_call(line)
        act(line, "complete", 1, "note")
        act(line, "reopen", 1, "note")
        assert line.world.statuses() == ["sent", "open", "waiting", "waiting"]
        act(line, "complete", 1, "call", outcome="yes_please")
        assert line.world.statuses() == ["sent", "done", "pending", "waiting"]


def test_a_task_that_is_snoozed_comes_back(line: Site) -> None:
    with line.working():
        until_call(line)
        act(line, "snooze", 1, "call", timedelta(hours=5))
        assert line.world.rows("status, reason", "step_key = 'call'") == [("pending", "snoozed")]
        assert states(line, 1) == {"call": "pending", "note": "pending"}
        line.jump(5 / 24)
        until_step(line, "call", "open")
        assert line.world.query("SELECT count(*) FROM tasks") == [(1,)]
        with pytest.raises(InvalidInput, match="can't be snoozed: it is waiting"):
            act(line, "snooze", 1, "note", timedelta(hours=5))


def test_a_task_is_given_to_somebody_else_before_it_is_due_or_after(line: Site) -> None:
    with line.working():
        until_step(line, "hello", "sent")
        act(line, "reassign", 1, "call", "nina")
        assert states(line, 1) == {"call": "pending", "note": "pending"}
        line.jump(1)
        until_step(line, "call", "open")
        (task,) = listed(line, assignee="nina")
        assert task.description == "Ask Ann"
        act(line, "reassign", 1, "call", "olga")
        assert listed(line, assignee="nina") == []
        assert [task.step for task in listed(line, assignee="olga")] == ["call"]


def test_tasks_added_by_hand_hold_nothing_up(line: Site) -> None:
    database = line.world.database
    with database.transaction() as session:
        number = by_hand.add(session, 1, 1, "Send flowers", assignee="olaf", due_in=timedelta(days=1))
        task = by_hand.which(1, 1, f"by-hand:{number}")
    assert listed(line) == []
    assert (f"by-hand:{number}", "Send flowers") in {(one.step, one.name) for one in listed(line, TaskState.PENDING)}
    line.jump(1)
    assert [(one.step, one.state) for one in listed(line)] == [(f"by-hand:{number}", TaskState.ACTIVE)]
    with database.transaction() as session:
        by_hand.alter(session, task, assignee="nina", due_in=timedelta(days=3))
        assert by_hand.close(session, task, TaskState.COMPLETED, by="nina")
        assert not by_hand.close(session, task, TaskState.COMPLETED)
        with pytest.raises(InvalidInput, match="is completed"):
            by_hand.close(session, task, TaskState.SKIPPED)
        with pytest.raises(InvalidInput, match="is completed"):
            by_hand.alter(session, task, assignee="olaf")
        assert by_hand.close(session, task, None)
        with pytest.raises(NotFound):
            by_hand.close(session, by_hand.which(2, 1, f"by-hand:{number}"), TaskState.COMPLETED)
        with pytest.raises(NotFound):
            by_hand.add(session, 2, 1, "Not theirs")
    assert [one.assignee for one in listed(line, TaskState.PENDING) if by_hand.is_by_hand(one.step)] == ["nina"]


def test_tasks_added_by_hand_end_with_their_enrollment_and_are_explained(line: Site) -> None:
    database = line.world.database
    with database.transaction() as session:
        done, left = (by_hand.which(1, 1, f"by-hand:{by_hand.add(session, 1, 1, name)}") for name in ("Done", "Left"))
        assert by_hand.close(session, done, TaskState.COMPLETED, by="nina", note="Roses")
    cancel(database, Operator("default", "ann"), 1)
    assert {one.name for one in listed(line, TaskState.CANCELLED) if by_hand.is_by_hand(one.step)} == {"Left"}
    with database.transaction() as session:
        with pytest.raises(InvalidInput, match=r"is cancelled: its enrollment has ended early \(operator\)"):
            by_hand.close(session, left, TaskState.COMPLETED)
        with pytest.raises(InvalidInput, match="is cancelled"):
            by_hand.alter(session, left, assignee="nina")
        with pytest.raises(InvalidInput, match=r"enrollment 1 has ended early \(operator\): its tasks end with it"):
            by_hand.add(session, 1, 1, "Too late")
    told = explain_enrollment(database, "default", 1)
    assert [(one["name"], one["state"], one["ended_by"], one["note"]) for one in told.by_hand] == [
        ("Done", "completed", "nina", "Roses"),
        ("Left", "cancelled", None, None),
    ]
    assert ("nina", "task completed", "by-hand:1; Roses") in [
        (one["made_by"], one["became"], one["reason"]) for one in told.history
    ]


def test_an_active_task_is_deleted_and_the_rest_counts_from_then(line: Site) -> None:
    database, who = line.world.database, Operator("default", "ann")
    with line.working():
        until_call(line)
        assert assignee_of_active(database, who, 1, "call") == "olaf"
        assert assignee_of_active(database, who, 1, "note") is None
        with pytest.raises(InvalidInput, match="is with a person"):
            delete_step(database, line.wakeups, who, 1, "call")
        line.jump(5)
        delete_step(database, line.wakeups, who, 1, "call", active=True)
        assert line.world.rows("status, reason", "step_key = 'call'") == [("skipped", "deleted")]
        line.jump(1)
        until_step(line, "note", "open")
    ((days,),) = line.world.query(
        "SELECT extract(epoch FROM note.due_at - call.due_at) / 86400 FROM outbox note, outbox call"
        " WHERE note.step_key = 'note' AND call.step_key = 'call'"
    )
    assert round(float(days), 2) == 6
    assert line.world.query("SELECT modified_at IS NOT NULL FROM enrollments") == [(True,)]


def test_what_is_no_task_is_told(line: Site) -> None:
    with pytest.raises(NotFound, match="no enrollment 7 in this workspace"):
        act(line, "complete", 7, "call")
    with pytest.raises(NotFound, match=r"unknown step 'cal' \(did you mean 'call'\?\)"):
        act(line, "complete", 1, "cal")
    with pytest.raises(InvalidInput, match="step 'hello' is of type sms, no task"):
        act(line, "complete", 1, "hello")
    with pytest.raises(InvalidInput, match="task 'call' can come to yes_please, no_thanks"):
        act(line, "complete", 1, "call", outcome="maybe")
    with pytest.raises(InvalidInput, match="task 'note' has no outcomes"):
        act(line, "complete", 1, "note", outcome="maybe")
    with line.world.database.transaction() as session, pytest.raises(NotFound):
        complete(session, 2, 1, "call")


def test_a_description_that_cannot_be_rendered_does_not_keep_the_task(site: Site) -> None:
    site.world.publish(
        'sequence: only\nsteps: [{key: it, type: call, description: "{{ custom.x | divided_by: 0 }}", assignee: olaf}]'
    )
    site.enroll("only", attributes={"x": 1})
    with site.working():
        until_step(site, "it", "open")
    assert [(task.description, task.assignee) for task in listed(site)] == [(None, "olaf")]


def test_a_task_that_is_not_active_yet_shows_what_its_step_says(line: Site) -> None:
    call, note = listed(line, TaskState.PENDING)
    assert (call.assignee, call.description, call.place) == ("olaf", "Ask Ann", (2, 4))
    assert (note.assignee, note.priority, note.name, note.place) == ("maria", "high", "Write it down", (3, 4))
    assert [task.step for task in listed(line, TaskState.PENDING, assignee="olaf")] == ["call"]
    assert [task.step for task in listed(line, TaskState.PENDING, priority="high")] == ["note"]
    assert listed(line, TaskState.PENDING, assignee="nobody") == []


def test_tasks_are_chosen_by_contact_tag_and_day(line: Site) -> None:
    line.enroll("line", first_name="Bob")
    line.world.execute("UPDATE contacts SET tags = ARRAY['vip'] WHERE id = 2")
    with line.working():
        until_step(line, "hello", "sent", 1)
        until_step(line, "hello", "sent", 2)
    bobs = listed(line, TaskState.PENDING, contact_id=2)
    assert [(task.enrollment_id, task.contact["first_name"]) for task in bobs] == [(2, "Bob"), (2, "Bob")]
    assert {task.enrollment_id for task in listed(line, TaskState.PENDING, tag="vip")} == {2}
    ((due_at,),) = line.world.query("SELECT due_at FROM outbox WHERE step_key = 'call' AND enrollment_id = 1")
    assert listed(line, TaskState.PENDING, due_before=due_at) == []
    on_the_day = listed(line, TaskState.PENDING, due_since=due_at, due_before=due_at + timedelta(days=1))
    assert {task.step for task in on_the_day} == {"call"}


@pytest.mark.parametrize("scope", ["enrollment", "workspace"])
def test_a_task_that_stands_still_is_marked_paused(line: Site, scope: str) -> None:
    assert {task.paused for task in listed(line, TaskState.PENDING)} == {False}
    Pauser(line.world, line.wakeups, scope).pause()
    assert {task.paused for task in listed(line, TaskState.PENDING)} == {True}


def test_a_list_stops_when_it_has_enough(line: Site) -> None:
    with line.world.database.transaction() as session:
        assert [task.step for task in tasks(session, 1, (TaskState.PENDING,), limit=1)] == ["call"]
        assert len(tasks(session, 1, tuple(TaskState))) == 2


def test_a_list_of_tasks_is_read_from_an_index(line: Site) -> None:
    asked: dict[str, object] = {"workspace": 1, "statuses": ["pending", "waiting"], "states": ["active"]}
    asked |= dict.fromkeys(
        ("enrollment", "contact", "sequence", "assignee", "priority", "tag", "since", "before"),
    )
    with line.world.database.transaction() as session:
        session.execute("SET LOCAL enable_seqscan = off")
        plan = "\n".join(row[0] for row in session.execute(f"EXPLAIN {LIST}".encode(), asked).fetchall())
    assert "outbox_tasks_idx" in plan
    assert "Seq Scan on outbox" not in plan


def test_what_people_do_is_explained_and_kept_in_the_history(line: Site) -> None:
    def next_is() -> str:
        says: str = explain_enrollment(line.world.database, "default", 1).next["says"]
        return says

    with line.working():
        until_step(line, "hello", "sent")
        wait_for(lambda: next_is() == "call: becomes active when it is due", next_is)
        line.jump(1)
        until_step(line, "call", "open")
        assert next_is() == "call: waits for a person"
        act(line, "reassign", 1, "call", "nina")
        act(line, "complete", 1, "call", outcome="no_thanks", by="nina", note="Busy")
        act(line, "reopen", 1, "call")
        act(line, "snooze", 1, "call", timedelta(days=1))
        act(line, "skip", 1, "call")
    task = explain_enrollment(line.world.database, "default", 1).steps[1]["task"]
    assert (task["assignee"], task["note"], task["description"]) == ("nina", "Busy", "Ask Ann")
    told = [
        (one["step"], one["made_by"], one["was"], one["became"], (one["reason"] or "").split(" until")[0])
        for one in explain_enrollment(line.world.database, "default", 1).history
        if one["step"] == "call"
    ]
    assert told == [
        ("call", "a person", "open", "open", "given to nina"),
        ("call", "nina", "open", "done", "came to no_thanks Busy"),
        ("call", "a person", "done", "open", "reopened"),
        ("call", "a person", "open", "pending", "snoozed"),
        ("call", "a person", "pending", "skipped", ""),
    ]
