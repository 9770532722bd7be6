"""Exit rules: from the moment that something is stored which ends an enrollment, nothing of it is begun."""

from threading import Barrier, Thread

import pytest
from stage_site import GENEROUS
from world import World

from engine.database import Database
from engine.outbox.settle import Ending, settle
from producers.inbound import InboundMessage, receive
from producers.leaving import Happened, leave_for
from producers.tenants import Tenant
from schema.definition import parse
from schema.states import RowStatus

SEQUENCE = """
sequence: {key}
exit_on: [{rules}]
steps:
  - {{key: first, type: sms, body: Hi}}
  - {{key: second, type: email, delay: 1 day, subject: Hi, text: Hello}}
"""

EVENTS = ["replied", "bounced", "complained", "goal", "unsubscribed"]


def enroll(world: World, rules: str, **fields: object) -> int:
    """Enroll somebody in a sequence with these exit rules; give the enrollment."""
    key = f"exits-{rules.replace('_', '-').replace(', ', '-') or 'never'}"
    world.publish(SEQUENCE.format(key=key, rules=rules))
    (enrolled,) = world.enroll(key, **fields)
    return enrolled.enrollment_id


def contact_of(world: World, enrollment: int) -> int:
    ((contact,),) = world.query("SELECT contact_id FROM enrollments WHERE id = %s", enrollment)
    return int(contact)


def leaves(world: World, contact: int, what: str) -> list[int]:
    with world.database.transaction() as session:
        return list(leave_for(session, Happened(1, contact, what)))  # type: ignore[arg-type]


@pytest.mark.parametrize("what", EVENTS)
def test_what_a_sequence_names_ends_it(world: World, what: str) -> None:
    named = enroll(world, what, phone="+12025550101", email="ann@example.com")
    other = enroll(world, "", phone="+12025550101", email="ann@example.com")
    contact = contact_of(world, named)
    assert contact == contact_of(world, other)
    assert leaves(world, contact, what) == ([named, other] if what == "unsubscribed" else [named])
    assert world.query("SELECT status, exit_reason FROM enrollments WHERE id = %s", named) == [("cancelled", what)]
    assert world.rows("status, reason", f"enrollment_id = {named}") == [("cancelled", what)] * 2
    if what != "unsubscribed":
        assert world.rows("status", f"enrollment_id = {other}") == [("pending",)] * 2
    assert leaves(world, contact, what) == []
    noted = world.query("SELECT made_by, was, became, reason FROM history WHERE enrollment_id = %s", named)
    assert noted == [("exit rule", "active", "cancelled", what)]


def test_a_reply_ends_it_and_what_comes_back_after_it_is_cancelled(world: World) -> None:
    enrollment = enroll(world, "replied", phone="+12025550101")
    (row,) = world.claim(world.ids())
    with world.database.transaction() as session:
        tenant = Tenant(1, "Default", "US", "secret")
        receive(session, tenant, InboundMessage("SM1", "+12025550101", "Sounds good!", None, {}))
    with world.database.transaction() as session:
        settle(session, [Ending(row.id, row.fence, "sms", RowStatus.PENDING, "slow down", delay=5.0)])
    assert world.rows("status, reason", f"enrollment_id = {enrollment}") == [("cancelled", "replied")] * 2


def test_when_somebody_of_the_company_replies_the_others_leave(world: World) -> None:
    """However it is written; not the one who replied, nor people of other companies, nor where it is not asked for."""
    own = enroll(world, "company_replied", attributes={"company": "Bella Pizza"})
    colleague = enroll(world, "company_replied", attributes={"company": " bella pizza "})
    indifferent = enroll(world, "replied", attributes={"company": "Bella Pizza"})
    stranger = enroll(world, "company_replied", attributes={"company": "Bella Pasta"})
    alone = enroll(world, "company_replied")
    assert leaves(world, contact_of(world, own), "replied") == [colleague]
    ended = world.query("SELECT id, exit_reason FROM enrollments WHERE status = 'cancelled'")
    assert ended == [(colleague, "company_replied")]
    assert leaves(world, contact_of(world, alone), "replied") == []
    assert leaves(world, contact_of(world, stranger), "bounced") == []
    assert leaves(world, contact_of(world, indifferent), "replied") == [indifferent, own]


def test_the_people_of_another_workspace_stay(world: World) -> None:
    world.execute("INSERT INTO workspaces (key, name) VALUES ('other', 'Other')")
    ((other,),) = world.query("SELECT id FROM workspaces WHERE key = 'other'")
    world.publish(SEQUENCE.format(key="exits-company-replied", rules="company_replied"), workspace_id=other)
    world.enroll("exits-company-replied", workspace="other", attributes={"company": "Bella"})
    own = enroll(world, "", attributes={"company": "Bella"})
    assert leaves(world, contact_of(world, own), "replied") == []


def test_colleagues_who_reply_at_the_same_moment_do_not_wait_for_each_other(world: World) -> None:
    """Not for ever, that is: a deadlock would be an error here."""
    everybody = [
        enroll(world, "replied, company_replied", attributes={"company": "Bella"}, phone=f"+1202555{number:04}")
        for number in range(8)
    ]
    contacts = [contact_of(world, one) for one in everybody]
    start, databases = Barrier(8), [Database(world.database.url, name="replying") for _ in contacts]
    failed: list[BaseException] = []

    def reply(database: Database, contact: int) -> None:
        start.wait(GENEROUS)
        try:
            with database.transaction() as session:
                leave_for(session, Happened(1, contact, "replied"))
        except BaseException as error:  # noqa: BLE001 (told by the test)
            failed.append(error)

    threads = [Thread(target=reply, args=pair) for pair in zip(databases, contacts, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(GENEROUS)
    for database in databases:
        database.close()
    assert failed == []
    assert world.query("SELECT DISTINCT status FROM enrollments") == [("cancelled",)]


def test_known_exit_rules_keep_their_place_in_a_definition() -> None:
    """So that what was published before is the same version still."""
    definition = parse(SEQUENCE.format(key="x", rules="company_replied, goal, replied, complained"))
    assert definition.exit_on == ("replied", "goal", "complained", "company_replied")
