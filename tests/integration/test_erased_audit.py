"""The audit stays clean after a contact is erased: what was sent is still known, without the personal data."""

import pytest
from people_at_work import until_step
from stage_site import Site

from deploy.audit import Audit, audit
from engine import clock
from producers.contact_erasing import erase
from producers.operator import Operator
from producers.suppression_list import add
from producers.workspaces import find_workspace

MAIL = """
sequence: mail
quiet_hours: off
steps:
  - {key: text, type: sms, body: "Hi {{ contact.email }}"}
  - {key: letter, type: email, subject: Hi, text: "Hi {{ contact.email }}", cc: [boss@example.com], delay: 1 minute}
  - {key: last, type: sms, body: "Bye", delay: 1 minute}
"""

WHO = Operator("default", "ann", "asked for it")


def publish(site: Site) -> None:
    """Publish the sequence; sequence time runs fast, so that all of it goes out at once."""
    site.world.publish(MAIL)
    with site.world.database.transaction() as session:
        clock.set_rate(session, 6_000)


def erased(site: Site, contact: int = 1) -> Audit:
    """Erase a contact, and look at everything that was sent."""
    with site.world.database.transaction() as session:
        erase(session, find_workspace(session, "default"), WHO, contact, end=True)
    return audit(site.world.database, site.sandbox.ledger)


def test_what_was_sent_to_an_erased_contact_is_explained(site: Site) -> None:
    publish(site)
    site.enroll("mail", count=2)
    with site.working():
        until_step(site, "last", "sent")
    found = erased(site)
    assert found.clean, found.examples
    assert found.accepted_once == 6
    left = str(site.world.query("SELECT * FROM attempts WHERE recipient = 'erased'"))
    assert "user1@" not in left
    assert "boss@" not in left


def test_a_second_message_to_an_erased_contact_is_still_seen(site: Site) -> None:
    publish(site)
    site.enroll("mail")
    with site.working():
        until_step(site, "last", "sent")
    ledger = site.sandbox.ledger
    lines = ledger.read_text().splitlines(keepends=True)
    again = next(line for line in reversed(lines) if '"sms"' in line and '"accepted"' in line)
    ledger.write_text("".join([*lines, again]))
    assert erased(site).counts["duplicated"] == 1


@pytest.mark.parametrize("channel", ["sms", "email"])
def test_a_step_that_was_skipped_for_a_suppression_holds_after_erasing(site: Site, channel: str) -> None:
    publish(site)
    address = "user1@example.com" if channel == "email" else "+12025550001"
    with site.world.database.transaction() as session:
        assert add(session, WHO, None, address)
    site.enroll("mail")
    with site.working():
        until_step(site, "last", "skipped" if channel == "sms" else "sent")
    found = erased(site)
    assert found.clean, found.examples


def test_a_contact_that_is_erased_twice_keeps_its_name(site: Site) -> None:
    publish(site)
    site.enroll("mail")
    erased(site)
    erased(site)
    assert site.world.query("SELECT external_id FROM contacts") == [("erased-1",)]
