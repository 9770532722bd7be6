"""Goals: from the moment at which one is reached nothing goes out, whoever says that it is so."""

from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from listening import hear
from people_at_work import act, until_step
from stage_site import GENEROUS, Site, wait_for

from engine.database import Database
from engine.wakeups import Wakeups
from producers.bulk.run import run_bulk
from producers.enroll_event import EnrollEvent, publish, write
from producers.inbound import InboundMessage, receive
from producers.tenants import Tenant

GOAL = """
sequence: nurture
goal: QUESTION
steps:
  - {key: hello, type: sms, body: Hi}
  - {key: ring, type: call, delay: 1 day, outcomes: [sold, lost]}
  - {key: bye, type: sms, delay: 1 day, body: Bye}
"""

OTHER = (
    "{sequence: other, reentry: always, steps: [{key: note, type: email, delay: 9 days, subject: Note, text: Note}]}"
)

PRO = "{attribute: {plan: pro}}"

STEP = """
sequence: step
steps:
  - {key: do, type: action, DEED}
"""


def start(site: Site, question: str = PRO, **fields: Any) -> None:
    site.world.publish(GOAL.replace("QUESTION", question))
    site.world.publish(OTHER)
    site.enroll("nurture", **fields)


def standing(site: Site, enrollment: int = 1) -> tuple[str, str | None]:
    ((status, reason),) = site.world.query("SELECT status, exit_reason FROM enrollments WHERE id = %s", enrollment)
    return status, reason


def until_left(site: Site) -> None:
    wait_for(lambda: standing(site) == ("cancelled", "goal"), lambda: (standing(site), site.world.rows()))


def left(site: Site, question: str, *statuses: str) -> None:
    """It has ended at its goal, and says why."""
    assert standing(site) == ("cancelled", "goal")
    assert site.world.rows("status", "enrollment_id = 1") == [(status,) for status in statuses]
    assert site.world.query(
        "SELECT made_by, was, became, reason FROM history WHERE enrollment_id = 1 AND outbox_id IS NULL"
    ) == [("exit rule", "active", "cancelled", f"goal: {question}")]


@pytest.mark.parametrize(
    ("question", "kind", "said"),
    [
        ("{event: paid}", "custom", {"name": "paid"}),
        ("{clicked: hello}", "clicked", {"enrollment": 1, "step": "hello"}),
        ("{delivered: hello}", "delivered", {"enrollment": 1, "step": "hello"}),
        ("{all: [{event: paid}, {not: {tag: trial}}]}", "custom", {"name": "paid"}),
    ],
)
def test_an_event_reaches_it(site: Site, question: str, kind: str, said: dict[str, Any]) -> None:
    start(site, question)
    with site.working():
        until_step(site, "hello", "sent")
    assert standing(site) == ("active", None)
    about = said if "step" in said else {"email": "user1@example.com", **said}
    hear(site, kind, **about)
    assert standing(site) == ("cancelled", "goal")
    assert site.world.rows("status, reason") == [("sent", None), ("cancelled", "goal"), ("cancelled", "goal")]


def test_a_reply_by_the_webhook_reaches_it(site: Site) -> None:
    start(site, "{replied: true}")
    with site.world.database.transaction() as session:
        receive(session, Tenant(1, "Default", "US", "secret"), InboundMessage("SM1", "+12025550001", "Yes!", None, {}))
    left(site, "replied", "cancelled", "cancelled", "cancelled")


def test_a_new_attribute_reaches_it_also_while_it_is_paused(site: Site) -> None:
    start(site)
    site.world.execute("UPDATE enrollments SET status = 'paused', paused_at = sequence_now()")
    event = EnrollEvent("other", email="user1@example.com", attributes={"plan": "pro"})
    publish(site.world.database, site.wakeups, event)
    assert standing(site) == ("cancelled", "goal")
    assert standing(site, 2) == ("active", None)


def test_one_that_is_reached_already_ends_at_the_enrollment(site: Site) -> None:
    start(site, attributes={"plan": "pro"})
    left(site, "attribute plan pro", "cancelled", "cancelled", "cancelled")
    site.enroll("nurture")
    assert standing(site, 2) == ("active", None)


@pytest.mark.parametrize(("deed", "question"), [("set: {plan: pro}", PRO), ("tag: won", "{tag: won}")])
def test_an_action_of_another_sequence_reaches_it(site: Site, deed: str, question: str) -> None:
    start(site, question)
    site.world.publish(STEP.replace("DEED", deed))
    with site.working():
        until_step(site, "hello", "sent")
        publish(site.world.database, site.wakeups, EnrollEvent("step", email="user1@example.com"))
        until_left(site)
    assert site.world.rows("status", "enrollment_id = 1") == [("sent",), ("cancelled",), ("cancelled",)]
    assert site.world.rows("status", "enrollment_id = 2") == [("done",)]


def test_an_action_of_its_own_reaches_it(site: Site) -> None:
    site.world.publish("""
sequence: own
goal: {tag: won}
steps:
  - {key: do, type: action, tag: won}
  - {key: bye, type: sms, delay: 1 day, body: Bye}
""")
    site.enroll("own")
    with site.working():
        until_left(site)
    assert site.world.rows("status, reason") == [("done", "tagged won"), ("cancelled", "goal")]


def test_what_a_task_came_to_reaches_it(site: Site) -> None:
    start(site, "{outcome: {ring: sold}}")
    act(site, "complete", 1, "ring", outcome="sold")
    assert standing(site) == ("cancelled", "goal")
    assert site.world.rows("status") == [("cancelled",), ("done",), ("cancelled",)]


def test_an_action_enrolls_in_a_sequence_whose_goal_is_reached(site: Site) -> None:
    site.world.publish(GOAL.replace("QUESTION", PRO))
    site.world.publish(STEP.replace("DEED", "enroll_in: nurture"))
    site.enroll("step", attributes={"plan": "pro"})
    with site.working():
        until_step(site, "do", "done")
    assert site.world.rows("reason", "enrollment_id = 1") == [("enrolled in nurture, whose goal is reached",)]
    assert standing(site, 2) == ("cancelled", "goal")


def test_nothing_goes_out_though_the_contact_was_changed_behind_our_back(site: Site) -> None:
    start(site)
    site.enroll("nurture")
    site.world.execute("""UPDATE contacts SET attributes = '{"plan": "pro"}' WHERE email = 'user1@example.com'""")
    with site.working():
        until_left(site)
        wait_for(lambda: len(site.accepted()) == 1, site.world.rows)
    assert list(site.accepted()) == [("+12025550002", "Hi")]
    left(site, "attribute plan pro", "cancelled", "cancelled", "cancelled")


def test_what_is_enrolled_while_the_attribute_changes_ends_too(site: Site, database_url: str, redis_url: str) -> None:
    """Whoever comes second sees what the first has done."""
    start(site)
    other, others = Database(database_url, name="other"), Wakeups(redis_url)
    for number in range(20):
        email = f"racer{number}@example.com"
        who = {"email": email, "phone": f"+12025551{number:03}"}
        publish(site.world.database, site.wakeups, EnrollEvent("other", **who))
        both = Barrier(2)

        def enroll(database: Database, wakeups: Wakeups, event: EnrollEvent, both: Barrier = both) -> None:
            both.wait(GENEROUS)
            publish(database, wakeups, event)

        events = [EnrollEvent("nurture", **who), EnrollEvent("other", email=email, attributes={"plan": "pro"})]
        sides = [(site.world.database, site.wakeups, events[0]), (other, others, events[1])]
        threads = [Thread(target=enroll, args=side) for side in sides]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(GENEROUS)
        assert site.world.query(
            "SELECT e.status, e.exit_reason FROM enrollments e JOIN sequences s ON s.id = e.sequence_id"
            " JOIN contacts c ON c.id = e.contact_id WHERE c.email = %s AND s.key = 'nurture'",
            email,
        ) == [("cancelled", "goal")]
    other.close()
    others.close()


WAITING = """
sequence: waiting
steps:
  - {key: pro, type: wait, until: {attribute: {plan: pro}, within: 30 days}}
  - {key: bye, type: sms, delay: 1 day, body: Bye}
"""


def test_a_wait_goes_on_when_an_event_tells_the_attribute(site: Site) -> None:
    site.world.publish(WAITING)
    site.world.publish(OTHER)
    site.enroll("waiting")
    with site.working():
        wait_for(lambda: site.world.rows("outcome", "step_key = 'pro'") == [("undecided",)], site.world.rows)
        event = EnrollEvent("other", email="user1@example.com", attributes={"plan": "free"})
        publish(site.world.database, site.wakeups, event)
        assert site.world.rows("status, outcome", "step_key = 'pro'") == [("pending", "undecided")]
        event = EnrollEvent("other", email="user1@example.com", attributes={"plan": "pro"})
        publish(site.world.database, site.wakeups, event)
        assert site.world.rows("status, outcome", "step_key = 'pro'") == [("done", "met")]
        site.jump(1)
        until_step(site, "bye", "sent")


def test_a_repeat_of_who_is_enrolled_already_tells_of_the_attribute_too(site: Site) -> None:
    site.world.publish(WAITING)
    site.enroll("waiting")
    with site.working():
        wait_for(lambda: site.world.rows("outcome", "step_key = 'pro'") == [("undecided",)], site.world.rows)
    with site.world.database.transaction() as session:
        again = write(session, EnrollEvent("waiting", phone="+12025550001", attributes={"plan": "pro"}))
    assert not again.created
    assert [rows for _, rows in again.wakeups] == [site.world.ids("step_key = 'bye'")]
    assert site.world.rows("status, outcome") == [("done", "met"), ("pending", None)]


def test_a_file_wakes_waits_and_goals(site: Site, tmp_path: Path) -> None:
    """Of those alone whom it says something new about; and it ends whoever has reached the goal already."""
    start(site)
    site.world.publish(WAITING)
    site.enroll("waiting", email="user1@example.com", phone="+12025550001")
    site.enroll("waiting")
    file = tmp_path / "contacts.csv"
    file.write_text("email,plan\nuser1@example.com,pro\nuser3@example.com,free\nnew@example.com,pro\n")
    with site.working():
        wait_for(lambda: site.world.rows("outcome", "step_key = 'pro'") == [("undecided",)] * 2, site.world.rows)
        report = run_bulk(site.world.database, site.wakeups, "default", "other", str(file))
        assert (report.enrolled, report.rejected) == (3, 0)
        assert standing(site) == ("cancelled", "goal")
        assert site.world.rows("status, outcome", "step_key = 'pro'") == [("done", "met"), ("pending", "undecided")]
        site.jump(1)
        wait_for(lambda: ("+12025550001", "Bye") in site.accepted(), site.world.rows)


def test_a_file_into_a_sequence_whose_goal_some_have_reached(site: Site, tmp_path: Path) -> None:
    site.world.publish(GOAL.replace("QUESTION", PRO))
    file = tmp_path / "contacts.csv"
    file.write_text("phone,plan\n+12025550001,pro\n+12025550002,free\n")
    assert run_bulk(site.world.database, site.wakeups, "default", "nurture", str(file)).enrolled == 2
    assert site.world.query("SELECT status, exit_reason FROM enrollments ORDER BY id") == [
        ("cancelled", "goal"),
        ("active", None),
    ]
