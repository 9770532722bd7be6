"""Actions: what a sequence does by itself to the contact, and to its enrollments."""

import threading
from typing import Any

from listening import hear
from people_at_work import until_step
from stage_site import Site, wait_for

from deploy.audit import audit

DEEDS = """
sequence: deeds
steps:
  - {key: hello, type: sms, body: Hi}
  - {key: mark, type: action, set: {plan: pro, seats: 5}}
  - {key: friend, type: action, tag: friend}
  - key: known
    type: condition
    if: {all: [{attribute: {seats: 5}}, {tag: friend}]}
    then: [{key: forget, type: action, untag: friend}]
  - {key: bye, type: sms, delay: 1 day, body: "Bye {{ custom.plan }}"}
"""


def enrollments(site: Site) -> list[tuple[Any, ...]]:
    return site.world.query(
        "SELECT s.key, e.status, e.exit_reason FROM enrollments e JOIN sequences s ON s.id = e.sequence_id"
        " ORDER BY e.id"
    )


def test_attributes_and_tags_are_set_and_can_be_asked_for(site: Site) -> None:
    site.world.publish(DEEDS)
    site.enroll("deeds")
    with site.working():
        until_step(site, "forget", "done")
        site.jump(1)
        until_step(site, "bye", "sent")
    assert site.world.query("SELECT attributes, tags FROM contacts") == [({"plan": "pro", "seats": "5"}, [])]
    assert site.world.rows("step_key, status, reason", "type = 'action'") == [
        ("mark", "done", "set plan, seats"),
        ("friend", "done", "tagged friend"),
        ("forget", "done", "untagged friend"),
    ]
    assert ("+12025550001", "Bye pro") in site.accepted()
    assert enrollments(site) == [("deeds", "completed", None)]
    assert audit(site.world.database, site.sandbox.ledger).clean


def test_what_an_action_sets_wakes_those_who_wait_for_it_elsewhere(site: Site) -> None:
    site.world.publish(DEEDS)
    site.world.publish("""
sequence: waiting
steps:
  - {key: until, type: wait, until: {tag: friend, within: 14 days}}
  - {key: thanks, type: sms, body: Thanks}
""")
    site.enroll("waiting", phone="+12025550009")
    with site.working():
        wait_for(lambda: site.world.rows("outcome", "step_key = 'until'") == [("undecided",)], "it waits")
        site.enroll("deeds", email="user1@example.com", phone="+12025550009")
        until_step(site, "thanks", "sent")
    assert site.world.rows("outcome", "step_key = 'until'") == [("met",)]


def test_an_action_ends_the_enrollment_or_another(site: Site) -> None:
    site.world.publish("sequence: long\nsteps: [{key: later, type: sms, delay: 9 days, body: Hi}]")
    site.world.publish("""
sequence: ending
steps:
  - {key: out, type: action, exit_from: long}
  - {key: nowhere, type: action, exit_from: none-such}
  - {key: end, type: action, exit: true}
  - {key: never, type: sms, delay: 1 day, body: Never}
""")
    who = {"email": "user1@example.com", "phone": "+12025550001"}
    site.enroll("long", **who)
    site.enroll("ending", **who)
    with site.working():
        until_step(site, "never", "cancelled")
    assert enrollments(site) == [("long", "cancelled", "exit"), ("ending", "cancelled", "exit")]
    assert site.world.rows("step_key, status, reason") == [
        ("later", "cancelled", "exit"),
        ("out", "done", "left long"),
        ("nowhere", "done", "was not in none-such"),
        ("end", "done", "ended the enrollment"),
        ("never", "cancelled", "exit"),
    ]
    assert audit(site.world.database, site.sandbox.ledger).clean


def circle(name: str, following: str) -> str:
    return f"""
sequence: {name}
reentry: always
steps:
  - {{key: hello, type: sms, body: "{name}"}}
  - {{key: go-on, type: action, enroll_in: {following}}}
"""


def test_sequences_lead_to_others_and_never_in_circles(site: Site) -> None:
    for name, following in (("one", "two"), ("two", "three"), ("three", "one")):
        site.world.publish(circle(name, following))
    site.enroll("one")
    with site.working():
        wait_for(lambda: [status for _, status, _ in enrollments(site)] == ["completed"] * 3, site.world.rows)
    assert [key for key, *_ in enrollments(site)] == ["one", "two", "three"]
    assert site.world.rows("reason", "type = 'action'") == [
        ("enrolled in two",),
        ("enrolled in three",),
        ("not enrolled: one has led here, and would lead here again",),
    ]
    assert sorted(site.accepted().values()) == [1, 1, 1]


def test_an_enrollment_that_cannot_be_made_is_told(site: Site) -> None:
    site.world.publish("sequence: once\nsteps: [{key: hi, type: sms, body: Hi}]")
    site.world.publish("sequence: closed\nsteps: [{key: hey, type: sms, body: Hey}]")
    site.world.execute(
        "UPDATE sequences SET status = 'archived', status_before = 'active', archived_at = now() WHERE key = 'closed'"
    )
    steps = [f"{{key: to-{key}, type: action, enroll_in: {key}}}" for key in ("once", "closed", "none")]
    steps.append("{key: bye, type: sms, body: Bye}")
    site.world.publish(f"sequence: from\nsteps: [{', '.join(steps)}]")
    who = {"email": "user1@example.com", "phone": "+12025550001"}
    site.enroll("once", **who)
    site.enroll("from", **who)
    with site.working():
        until_step(site, "to-none", "failed")
        until_step(site, "bye", "sent")
    assert site.world.rows("status, reason", "type = 'action'") == [
        ("done", "not enrolled: in once before"),
        ("done", "not enrolled: closed is archived"),
        ("failed", "not enrolled: there is no sequence none"),
    ]
    assert ("from", "completed", None) in enrollments(site)
    assert audit(site.world.database, site.sandbox.ledger).clean


def test_actions_events_and_ends_of_one_contact_at_the_same_moment_all_come_through(site: Site) -> None:
    """Each holds the contact before its enrollments, so none waits for one who waits for it."""
    for number in range(4):
        site.world.publish(f"""
sequence: s{number}
steps:
  - {{key: mark{number}, type: action, tag: t{number}}}
  - {{key: until{number}, type: wait, until: {{event: go, within: 9 days}}}}
  - {{key: out{number}, type: action, exit_from: s{(number + 1) % 4}}}
""")
    who = {"email": "user1@example.com", "phone": "+12025550001"}
    with site.working():
        for number in range(4):
            site.enroll(f"s{number}", **who)
        wait_for(lambda: site.world.query("SELECT cardinality(tags) FROM contacts") == [(4,)], site.world.rows)
        waits = "type = 'wait'"
        wait_for(lambda: site.world.rows("outcome", waits) == [("undecided",)] * 4, site.world.rows)
        told = [threading.Thread(target=hear, args=(site, "custom", 1), kwargs={"name": "go"}) for _ in range(8)]
        for one in told:
            one.start()
        for one in told:
            one.join()
        wait_for(lambda: "active" not in {status for _, status, _ in enrollments(site)}, site.world.rows)
    assert {status for _, status, _ in enrollments(site)} <= {"completed", "cancelled"}
    assert set(site.world.rows("status", waits)) == {("done",)}
