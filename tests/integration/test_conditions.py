"""Conditions and waits, over real databases and workers."""

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from listening import hear
from people_at_work import act, due, until_step
from stage_site import Site, wait_for

from engine.clock import SequenceClock
from engine.errors import InvalidInput, NotFound
from engine.outbox.resolve import Resolution, resolve
from producers.explaining import explain_enrollment
from producers.inbound import InboundMessage, receive
from producers.tenants import Tenant
from schema.states import RowStatus

DAY = 86_400.0

TEXTS = """
sequence: texts
steps:
  - {key: hello, type: sms, body: Hi}
  - key: asked
    type: condition
    if: QUESTION
    then: [{key: good, type: sms, delay: 1 day, body: "Yes"}]
    else: [{key: bad, type: sms, delay: 1 day, body: "No"}]
  - {key: bye, type: sms, delay: 1 day, body: Bye}
"""


def start(site: Site, question: str, **fields: Any) -> None:
    site.world.publish(TEXTS.replace("QUESTION", question))
    site.enroll("texts", **fields)


def outcome(site: Site, key: str = "asked") -> list[tuple[Any, ...]]:
    return site.world.rows("status, outcome", f"step_key = '{key}'")


def until_undecided(site: Site, key: str = "asked") -> None:
    wait_for(lambda: outcome(site, key) == [("pending", "undecided")], site.world.rows)


@pytest.mark.parametrize(
    ("question", "attributes", "expected"),
    [
        ("{attribute: {plan: [pro, team]}}", {"plan": "pro"}, "then"),
        ("{attribute: {plan: pro}}", {}, "else"),
        ("{all: [{has: plan}, {not: {attribute: {plan: free}}}]}", {"plan": "pro"}, "then"),
        ("{enrolled_in: texts}", {}, "then"),
        ("{tag: friend}", {}, "else"),
        ("{replied: true}", {}, "else"),
    ],
)
def test_a_question_without_a_time_is_decided_at_once(
    site: Site, question: str, attributes: dict[str, Any], expected: str
) -> None:
    start(site, question, attributes=attributes)
    with site.working():
        until_step(site, "asked", "done")
    assert outcome(site) == [("done", expected)]
    taken, other = ("good", "bad") if expected == "then" else ("bad", "good")
    assert dict(site.world.rows("step_key, status")) == {
        "hello": "sent",
        "asked": "done",
        taken: "pending",
        other: "skipped",
        "bye": "pending",
    }
    first, second = due(site, taken), due(site, "bye")
    assert first is not None
    assert second is not None
    assert DAY <= first < DAY + 60
    assert second == first + DAY


def test_what_is_not_so_is_decided_when_the_time_is_over(site: Site) -> None:
    start(site, "{not: {replied: true}, within: 2 days}")
    with site.working():
        until_undecided(site)
        site.jump(1.9)
        assert outcome(site) == [("pending", "undecided")]
        site.jump(0.2)
        until_step(site, "asked", "done")
    assert outcome(site) == [("done", "then")]
    seconds = due(site, "good")
    assert seconds is not None
    assert 3 * DAY <= seconds < 3 * DAY + 60  # a day after the two days were over, not after that was noticed


def test_a_reply_that_comes_in_by_the_webhook_decides_at_once(site: Site) -> None:
    start(site, "{replied: hello, within: 2 days}")
    with site.working():
        until_undecided(site)
        with site.world.database.transaction() as session:
            message = InboundMessage("SM1", "+12025550001", "Thank you", None, {})
            received = receive(session, Tenant(1, "Default", "US", "secret"), message)
        assert len(received.wakeups) == 2
        assert outcome(site) == [("done", "then")]
        site.wakeups.schedule(received.wakeups)
        site.jump(1)
        until_step(site, "good", "sent")


def test_an_event_that_came_before_the_question_counts(site: Site) -> None:
    start(site, "{event: paid, within: 2 days}")
    hear(site, "custom", 1, name="paid", data={"amount": 5})
    with site.working():
        until_step(site, "asked", "done")
    assert outcome(site) == [("done", "then")]


LATER = """
sequence: later
steps:
  - {key: mail, type: email, subject: Hi, text: Hello}
  - {key: asked, type: condition, DELAYif: {opened: mail, within: 1 day},
     then: [{key: good, type: sms, delay: 1 minute, body: "Yes"}],
     else: [{key: bad, type: sms, delay: 1 day, body: "No"}]}
"""


def test_an_open_two_days_after_sending_is_not_within_one_day(site: Site) -> None:
    site.world.publish(LATER.replace("DELAY", "delay: 3 days, "))
    site.enroll("later")
    with site.working():
        until_step(site, "mail", "sent")
        site.jump(2)
        hear(site, "opened", 1, "mail")
        site.jump(1)
        until_step(site, "asked", "done")
    assert outcome(site) == [("done", "else")]
    seconds = due(site, "bad")
    assert seconds is not None
    assert 4 * DAY <= seconds < 4 * DAY + 60  # from the turn of the question, not from when its time was over


def test_an_open_within_a_day_of_sending_counts_though_the_question_comes_later(site: Site) -> None:
    site.world.publish(LATER.replace("DELAY", "delay: 3 days, "))
    site.enroll("later")
    with site.working():
        until_step(site, "mail", "sent")
        site.jump(0.5)
        hear(site, "opened", 1, "mail")
        site.jump(2.6)
        until_step(site, "good", "sent")
    assert outcome(site) == [("done", "then")]


def test_the_time_runs_from_the_hand_over_when_the_question_comes_at_once(site: Site) -> None:
    site.world.publish(LATER.replace("DELAY", ""))
    site.enroll("later")
    with site.working():
        until_undecided(site)
        site.jump(0.9)
        assert outcome(site) == [("pending", "undecided")]
        site.jump(0.2)
        until_step(site, "asked", "done")
    assert outcome(site) == [("done", "else")]


STORY = """
sequence: story
exit_on: []
steps:
  - {key: mail, type: email, subject: Hi, text: Hello}
  - {key: asked, type: condition, if: {opened: mail, within: 1 day}, then: [{key: mark, type: action, tag: reader}]}
  - {key: answer, type: wait, until: {replied: true, within: 2 days}}
"""


def test_the_history_tells_what_conditions_saw_and_what_waits_and_actions_came_to(site: Site) -> None:
    site.world.publish(STORY)
    site.enroll("story")
    with site.working():
        until_undecided(site)
        hear(site, "opened", 1, "mail")
        until_undecided(site, "answer")
        site.jump(3)
        until_step(site, "answer", "done")
    told = explain_enrollment(site.world.database, "default", 1).history
    assert [(one["step"], one["became"], one["reason"]) for one in told if one["made_by"] == "engine"] == [
        ("asked", "done", "opened mail within 1 day of sending: yes; came to then"),
        ("mark", "done", "tagged reader"),
        ("answer", "done", "replied: no; came to timed_out"),
        (None, "completed", None),
    ]


def test_the_same_event_twice_is_one(site: Site) -> None:
    start(site, "{event: paid, within: 2 days}")
    assert hear(site, "custom", email="user1@example.com", name="paid", key="k").event_id is not None
    assert hear(site, "custom", email="user1@example.com", name="paid", key="k").event_id is None
    assert site.world.query("SELECT count(*) FROM events") == [(1,)]


def test_what_people_say_of_a_task_is_branched_on(site: Site) -> None:
    site.world.publish("""
sequence: calls
steps:
  - {key: ring, type: call, outcomes: [reached, not_reached]}
  - key: got-through
    type: condition
    if: {outcome: {ring: reached}}
    then: [{key: thanks, type: sms, body: Thanks}]
    else: [{key: again, type: call}]
""")
    for _ in range(2):
        site.enroll("calls")
    with site.working():
        until_step(site, "ring", "open")
        act(site, "complete", 1, "ring", outcome="reached")
        act(site, "complete", 2, "ring", outcome="not_reached")
        until_step(site, "thanks", "sent", 1)
        until_step(site, "again", "open", 2)
        act(site, "complete", 2, "again")
    assert site.world.query("SELECT DISTINCT status FROM enrollments") == [("completed",)]


def test_an_outcome_is_corrected_until_a_later_step_has_begun(site: Site) -> None:
    site.world.publish("""
sequence: calls
steps:
  - {key: ring, type: call, outcomes: [reached, not_reached]}
  - key: got-through
    type: condition
    if: {outcome: {ring: reached}}
    then: [{key: thanks, type: sms, delay: 1 day, body: Thanks}]
    else: [{key: sorry, type: sms, delay: 2 days, body: Sorry}, {key: again, type: sms, delay: 1 day, body: Again}]
""")
    site.enroll("calls")
    with site.working():
        until_step(site, "ring", "open")
        act(site, "complete", 1, "ring", outcome="reached")
        until_step(site, "got-through", "done")
        assert outcome(site, "sorry") == [("skipped", None)]
        act(site, "complete", 1, "ring", outcome="not_reached", by="olaf")
        until_step(site, "got-through", "done")
        assert outcome(site, "got-through") == [("done", "else")]
        assert outcome(site, "thanks") == [("skipped", None)]
        site.jump(2)
        until_step(site, "sorry", "sent")
        with pytest.raises(InvalidInput, match="can't be corrected: sorry has begun"):
            act(site, "complete", 1, "ring", outcome="reached")
        site.jump(1)
        until_step(site, "again", "sent")
    assert sorted(site.accepted().values()) == [1, 1]
    assert ("olaf", "outcome corrected from reached to not_reached") in site.world.query(
        "SELECT made_by, reason FROM history"
    )


def test_a_wait_ends_with_what_it_waits_for_or_with_its_time(site: Site) -> None:
    site.world.publish("""
sequence: waits
steps:
  - {key: pause, type: wait, delay: 1 day}
  - {key: answer, type: wait, until: {event: answered, within: 14 days}}
  - {key: bye, type: sms, body: Bye}
""")
    for _ in range(2):
        site.enroll("waits")
    with site.working():
        assert site.world.rows("step_key, status", "enrollment_id = 1") == [
            ("pause", "pending"),
            ("answer", "pending"),
            ("bye", "waiting"),
        ]
        site.jump(1)
        wait_for(lambda: outcome(site, "answer") == [("pending", "undecided")] * 2, "both wait")
        hear(site, "custom", 1, name="answered")
        until_step(site, "bye", "sent", 1)
        assert site.world.rows("outcome", "step_key = 'answer' AND enrollment_id = 1") == [("met",)]
        site.jump(14)
        until_step(site, "bye", "sent", 2)
        assert site.world.rows("outcome", "step_key = 'answer' AND enrollment_id = 2") == [("timed_out",)]


def test_an_event_at_the_end_of_the_time_is_taken_once(site: Site) -> None:
    """Twenty of them at the same moment, while workers look: one branch is taken, and goes on once."""
    start(site, "{event: paid, within: 2 days}")
    with site.working():
        until_undecided(site)
        people = [threading.Thread(target=hear, args=(site, "custom", 1), kwargs={"name": "paid"}) for _ in range(20)]
        for person in people:
            person.start()
        for person in people:
            person.join()
        site.jump(3)
        until_step(site, "bye", "sent")
    assert site.world.rows("step_key, status, fence") == [
        ("hello", "sent", 2),
        ("asked", "done", 2),
        ("good", "sent", 3),
        ("bad", "skipped", 1),
        ("bye", "sent", 3),
    ]


def test_who_opts_out_or_bounces_is_written_to_no_more(site: Site) -> None:
    start(site, "{replied: true, within: 2 days}")
    with site.working():
        until_undecided(site)
        hear(site, "unsubscribed", 1)
    assert site.world.query("SELECT status, exit_reason FROM enrollments") == [("cancelled", "unsubscribed")]
    assert site.world.query("SELECT channel, reason FROM suppressions ORDER BY 1") == [
        ("email", "unsubscribed"),
        ("sms", "unsubscribed"),
    ]
    site.enroll("texts")
    with site.working():
        until_step(site, "hello", "sent", 2)
        hear(site, "bounced", 2, "hello")
    assert site.world.rows("delivery_status", "enrollment_id = 2 AND step_key = 'hello'") == [("undelivered",)]
    assert site.world.query("SELECT channel FROM suppressions WHERE reason = 'bounced'") == [("sms",)]


def test_an_event_of_nobody_or_of_nothing_is_refused(site: Site) -> None:
    start(site, "{replied: true}")
    later = datetime(2100, 1, 1, tzinfo=UTC)
    for says, kind, more in (
        ("no contact has these keys", "replied", {"email": "x@example.com"}),
        ("name a message, an enrollment, or a contact", "replied", {}),
        ("an event opened is about a message", "opened", {"email": "user1@example.com"}),
        ("no message 'SM404'", "opened", {"message": "SM404"}),
        ("enrollment 1 has no step 'x'", "opened", {"enrollment": 1, "step": "x"}),
        ("step 'asked' is of type condition, no message", "opened", {"enrollment": 1, "step": "asked"}),
        ("step 'bye' is waiting: nothing can be heard of it", "opened", {"enrollment": 1, "step": "bye"}),
        ("no enrollment 9", "replied", {"enrollment": 9}),
        ("has a name", "custom", {"enrollment": 1}),
        ("has no link", "replied", {"enrollment": 1, "link": "https://x"}),
        ("is no IP address", "replied", {"enrollment": 1, "address": "x"}),
        ("is yet to come", "replied", {"enrollment": 1, "at": later}),
        ("has a time zone", "replied", {"enrollment": 1, "at": datetime(2020, 1, 1)}),  # noqa: DTZ001 (that is it)
    ):
        with pytest.raises((InvalidInput, NotFound), match=says):
            hear(site, kind, **more)
    assert site.world.query("SELECT count(*) FROM events") == [(0,)]


def test_a_step_that_is_given_up_by_others_lets_the_sequence_go_on(site: Site) -> None:
    """Whoever gives a gate up by its row alone, as an operator's `skip` does, has the steps behind it planned."""
    start(site, "{replied: true, within: 2 days}")
    with site.working():
        until_undecided(site)
        ((row, fence),) = site.world.rows("id, fence", "step_key = 'asked'")
        with site.world.database.transaction() as session:
            given_up = [Resolution(row, fence, RowStatus.SKIPPED, "skipped by an operator")]
            resolved = resolve(session, SequenceClock(site.world.database), given_up)
        site.wakeups.schedule(resolved.wakeups)
        assert site.world.rows("status") == [("sent",), ("skipped",), ("skipped",), ("skipped",), ("pending",)]
        site.jump(1)
        until_step(site, "bye", "sent")


def test_a_wait_that_is_noticed_late_moves_what_is_behind_it(site: Site) -> None:
    site.world.publish("""
sequence: late
steps:
  - {key: pause, type: wait, delay: 1 hour}
  - {key: more, type: wait, delay: 1 hour}
  - {key: later, type: call, delay: 1 hour}
""")
    site.enroll("late")
    site.world.execute("UPDATE outbox SET due_at = due_at - interval '3 hours'")
    with site.working():
        until_step(site, "more", "pending")
        wait_for(lambda: outcome(site, "pause") == [("done", None)], site.world.rows)
    hours = [seconds / 3_600 for key in ("more", "later") if (seconds := due(site, key)) is not None]
    assert 1 <= hours[0] < 1.1  # an hour after the pause was over, which was noticed now
    assert 2 <= hours[1] < 2.1
