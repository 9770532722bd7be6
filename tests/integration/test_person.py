"""What was sent to a contact and what came back: found by the contact alone, archived or not."""

import pytest
from listening import hear
from people_at_work import until_step
from stage_site import Site
from world import World

from engine.outbox.person import EVENTS, MESSAGES, events_of, messages_to

TWO = """
sequence: two
exit_on: []
steps:
  - {key: text, type: sms, body: "Hi {{ contact.first_name }}"}
  - {key: mail, type: email, delay: 1 day, subject: News, text: Hello}
"""


@pytest.fixture
def told(site: Site) -> Site:
    """Ann got a text and an email, and has replied; Bob got a text."""
    site.world.publish(TWO)
    site.enroll("two", first_name="Ann")
    with site.working():
        until_step(site, "text", "sent", 1)
        site.jump(1)
        until_step(site, "mail", "sent", 1)
    hear(site, "opened", 1, "mail")
    hear(site, "replied", email="user1@example.com", name=None)
    return site


def test_messages_tell_the_text_the_recipient_and_what_became_of_them(told: Site) -> None:
    with told.world.database.transaction() as session:
        mail, text = messages_to(session, 1, 1, limit=10)
    assert (mail.step_key, mail.recipient, (mail.payload or {})["subject"]) == ("mail", "user1@example.com", "News")
    assert (text.step_key, text.recipient, (text.payload or {})["body"]) == ("text", "+12025550001", "Hi Ann")
    assert (text.status, (text.provider_id or "")[:2], text.sequence) == ("sent", "SM", "two")


def test_what_was_never_handed_over_is_listed_when_asked_for(world: World) -> None:
    world.publish(TWO)
    world.enroll("two")
    with world.database.transaction() as session:
        assert messages_to(session, 1, 1, limit=10) == []
        waiting = messages_to(session, 1, 1, statuses=["pending"], limit=10)
        assert [(one.step_key, one.recipient) for one in waiting] == [("mail", None), ("text", None)]
        assert messages_to(session, 1, 1, enrollment_id=2, statuses=["pending"], limit=10) == []
        assert len(messages_to(session, 1, 1, statuses=["pending"], limit=1)) == 1
        assert messages_to(session, 2, 1, statuses=["pending"], limit=10) == []


def test_events_name_the_message_that_they_are_about(told: Site) -> None:
    with told.world.database.transaction() as session:
        reply, opened = events_of(session, 1, 1, limit=10)
        assert [(one.says, one.step_key) for one in (opened, reply)] == [("opened", "mail"), ("replied", None)]
        assert [one.says for one in events_of(session, 1, 1, says=["opened"], limit=10)] == ["opened"]
        assert events_of(session, 2, 1, limit=10) == []


def test_reports_of_a_message_are_events_of_its_contact(world: World) -> None:
    world.publish(TWO)
    world.enroll("two")
    world.execute(
        "INSERT INTO events (workspace_id, provider, kind, provider_id, status, outbox_id, fence, payload)"
        " VALUES (1, 'twilio', 'status', 'SM1', 'undelivered', 1, 1, '{}')"
    )
    with world.database.transaction() as session:
        (report,) = events_of(session, 1, 1, limit=10)
    assert (report.says, report.row, report.sequence, report.step_key) == ("undelivered", 1, "two", "text")


@pytest.mark.parametrize("query", [MESSAGES, EVENTS], ids=["messages", "events"])
def test_nothing_of_other_contacts_is_read(world: World, query: str) -> None:
    world.publish(TWO)
    world.enroll("two", count=3)
    asked = {"workspace": 1, "contact": 1, "enrollment": None, "statuses": None, "says": None, "limit": 10}
    with world.database.transaction() as session:
        session.execute("SET LOCAL enable_seqscan = off")
        plan = "\n".join(row[0] for row in session.execute(f"EXPLAIN {query}".encode(), asked).fetchall())
    assert "Seq Scan on outbox" not in plan
    assert "Seq Scan on events" not in plan
    assert "Seq Scan on attempt" not in plan
