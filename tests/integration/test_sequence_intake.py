"""Drafts take nobody before they are activated; closed sequences take nobody new, and those in them go on."""

from threading import Thread
from typing import Any

import pytest
from pauser import WHO
from people_at_work import until_step
from stage_site import GENEROUS, Site, wait_for
from world import World

from deploy.audit import audit
from engine.errors import InvalidInput
from producers.archiving import archive
from producers.enroll_event import EnrollEvent, write
from producers.enrollment import enroll_people
from producers.intake import Changed, activate, close, reopen
from producers.pausing import pause_all
from producers.people import person
from producers.sequence_about import about
from producers.sequence_list import list_sequences
from producers.sequences import find_sequence, publish
from schema.definition import parse

OPEN = Changed(changed=True, status="active", closed=False)
CLOSED = Changed(changed=True, status="active", closed=True)

HELLO = "sequence: hello\nsteps: [{key: hi, type: sms, body: Hi}]"


def apply(world: World, text: str, **options: Any) -> None:
    with world.database.transaction() as session:
        publish(session, 1, parse(text), **options)


def refused(world: World, sequence: str, **fields: Any) -> str:
    with pytest.raises(InvalidInput) as error:
        world.enroll(sequence, **fields)
    return str(error.value)


def test_a_draft_takes_nobody_before_it_is_activated(world: World) -> None:
    apply(world, HELLO, draft=True)
    assert refused(world, "hello") == (
        "sequence 'hello' is a draft: it takes no enrollments; activate it first with `cadenza sequence activate hello`"
    )
    apply(world, HELLO.replace("Hi", "Hey"))
    assert "is a draft" in refused(world, "hello"), "a new version of a draft is a draft too"
    with pytest.raises(InvalidInput, match="is a draft: it takes nobody, so there is nothing to close"):
        close(world.database, WHO, "hello")
    assert activate(world.database, WHO, "hello") == OPEN
    assert not activate(world.database, WHO, "hello").changed
    assert world.enroll("hello")
    with pytest.raises(InvalidInput, match="is active, so a version of it can't be a draft"):
        apply(world, HELLO, draft=True)


def test_a_closed_sequence_takes_nobody_new_and_those_in_it_go_on(site: Site) -> None:
    world = site.world
    apply(world, HELLO, draft=True)
    leads = "{key: to-full, type: action, enroll_in: follow-up}, {key: to-draft, type: action, enroll_in: hello}"
    world.publish(f"sequence: leads\nsteps: [{leads}]")
    site.enroll("follow-up")
    assert close(world.database, WHO, "follow-up") == CLOSED
    assert not close(world.database, WHO, "follow-up").changed
    assert refused(world, "follow-up") == (
        "sequence 'follow-up' is closed to new people: it takes no enrollments;"
        " open it first with `cadenza sequence open follow-up`"
    )
    site.enroll("leads")
    with site.working():
        until_step(site, "to-draft", "done")
        site.jump(1)
        until_step(site, "second", "sent")
    assert world.rows("status, reason", "type = 'action'") == [
        ("done", "not enrolled: follow-up is closed to new people"),
        ("done", "not enrolled: hello is a draft"),
    ]
    assert audit(world.database, site.sandbox.ledger).clean
    assert reopen(world.database, WHO, "follow-up") == OPEN
    assert not reopen(world.database, WHO, "follow-up").changed
    site.enroll("follow-up")
    became = "SELECT became, made_by, reason FROM history WHERE sequence_id IS NOT NULL ORDER BY at"
    assert world.query(became) == [("closed", WHO.name, WHO.reason), ("opened", WHO.name, WHO.reason)]


@pytest.mark.parametrize("calendar", [False, True])
def test_one_who_looked_the_sequence_up_before_it_closed_gets_nobody_in(world: World, calendar: bool) -> None:
    world.execute("UPDATE workspaces SET quiet_hours = %s", "20:00-09:00" if calendar else "off")
    who, _ = person({"email": "ada@example.com", "phone": "+12025550199"}, region="US", needs=frozenset())
    with pytest.raises(InvalidInput, match="is closed to new people"), world.database.transaction() as session:
        stale = find_sequence(session, 1, "follow-up")
        close(world.database, WHO, "follow-up", patience=0)
        enroll_people(session, stale, [who])
    assert world.query("SELECT FROM enrollments") == []


def test_closing_waits_for_who_is_enrolling(world: World) -> None:
    done: list[Changed] = []
    with world.database.transaction() as session:
        write(session, EnrollEvent("follow-up", email="late@example.com", phone="+12025550123"))
        assert not close(world.database, WHO, "follow-up", patience=0).finished
        run = Thread(target=lambda: done.append(close(world.database, WHO, "follow-up", patience=GENEROUS)))
        run.start()
        run.join(0.2)
        assert not done, "somebody is still enrolling"
    wait_for(lambda: bool(done), "closed")
    run.join()
    assert done == [Changed(changed=False, status="active", closed=True)]


def test_closed_paused_and_archived_stand_beside_each_other(world: World) -> None:
    close(world.database, WHO, "follow-up")
    pause_all(world.database, WHO, "follow-up")
    assert reopen(world.database, WHO, "follow-up") == Changed(changed=True, status="paused", closed=False)
    archive(world.database, WHO, "follow-up")
    with pytest.raises(InvalidInput, match="cadenza unarchive follow-up"):
        close(world.database, WHO, "follow-up")
    with pytest.raises(InvalidInput, match="cadenza unarchive follow-up"):
        activate(world.database, WHO, "follow-up")


def test_who_made_a_sequence_and_what_it_is_for_is_listed(world: World) -> None:
    noted = "sequence: noted\ndescription: For new customers\nmetadata: {team: sales, quarter: 3}\n"
    steps = "steps: [{key: hi, type: sms, body: Hi}]"
    apply(world, noted + steps, by="ana", draft=True)
    apply(world, noted + steps.replace("Hi}", "Hey}"), by="bob")
    with world.database.transaction() as session:
        (one,) = list_sequences(session, 1, status="draft")
        assert (one.description, one.metadata) == ("For new customers", {"team": "sales", "quarter": 3})
        assert (one.created_by, one.closed_at, one.status) == ("ana", None, "draft")
        assert [used.sequence for used in list_sequences(session, 1, status="active")] == ["follow-up"]
        assert list_sequences(session, 1, status="closed") == []
        assert "by bob; the sequence is a draft" in str(about(session, 1, "noted"))
        assert str(about(session, 1, "noted", 1)).startswith("version 1 of 2, applied ")
    close(world.database, WHO, "follow-up")
    with world.database.transaction() as session:
        (closed,) = list_sequences(session, 1, status="closed")
        assert str(about(session, 1, "follow-up")).endswith(f"the sequence is closed to new people by {WHO.name}")
    assert (closed.sequence, closed.closed_by) == ("follow-up", WHO.name)
