"""Actions that write to a person of one's own: once, by the rule for emails."""

from typing import Any

import pytest
from people_at_work import until_step
from stage_site import Site, wait_for

from deploy.sandbox.ledger import read_entries

QUICK = {"reconcile_grace_seconds": 0.2, "reconcile_interval_seconds": 0.2}


def notifying(site: Site, to: str, header: str = "", **fields: Any) -> None:
    site.world.publish(f"""
sequence: notifying
name: Trial
{header}
steps:
  - key: tell
    type: action
    notify: {{to: {to}, subject: "Call {{{{ contact.first_name }}}}", text: "Phone {{{{ contact.phone }}}}"}}
  - {{key: bye, type: sms, body: Bye}}
""")
    site.enroll("notifying", first_name="Ana", **fields)


def told(site: Site) -> list[tuple[Any, ...]]:
    return site.world.rows("status, reason", "step_key = 'tell'")


def mails(site: Site) -> list[tuple[Any, ...]]:
    return [
        (entry.to, entry.subject)
        for entry in read_entries(site.sandbox.ledger)
        if entry.event == "accepted" and entry.channel == "email"
    ]


@pytest.mark.parametrize(
    ("to", "header", "recipient"),
    [
        ("maria@example.com", "", "maria@example.com"),
        ("assignee", "assignee: olaf@example.com", "olaf@example.com"),
        ("assignee", "assignee: '{{ custom.owner }}'", "nina@example.com"),
        ("owner", "", "nina@example.com"),
    ],
)
def test_a_person_is_written_to_once(site: Site, to: str, header: str, recipient: str) -> None:
    with site.working():
        notifying(site, to, header, attributes={"owner": "nina@example.com"})
        until_step(site, "bye", "sent")
    assert mails(site) == [(recipient, "Call Ana")]
    assert told(site) == [("sent", None)]
    ((message_id,),) = site.world.query("SELECT provider_id FROM attempts WHERE channel = 'action'")
    ((row_id, public_id),) = site.world.query(
        "SELECT o.id, w.public_id FROM outbox o JOIN workspaces w ON w.id = o.workspace_id WHERE o.step_key = 'tell'"
    )
    assert message_id.startswith(f"<notify.{row_id}.{public_id}@")


@pytest.mark.parametrize(
    ("to", "header", "reason"),
    [
        ("assignee", "assignee: maria", "the assignee is no email address: give the sequence an 'assignee'"),
        ("assignee", "", "the assignee is not set: give the sequence an 'assignee'"),
        ("owner", "", "the owner is not set: set the contact's attribute 'owner'"),
    ],
)
def test_somebody_without_an_address_is_told_of(site: Site, to: str, header: str, reason: str) -> None:
    with site.working():
        notifying(site, to, header)
        until_step(site, "bye", "sent")
    ((status, said),) = told(site)
    assert status == "failed"
    assert reason in said
    assert mails(site) == []


def test_a_refusal_for_now_is_tried_again_with_the_same_message(site: Site) -> None:
    site.sandbox.client.add_fault("email", "reply", "rcpt", code=451, text="4.3.0 later", times=1)
    with site.working():
        notifying(site, "maria@example.com")
        until_step(site, "bye", "sent")
    assert mails(site) == [("maria@example.com", "Call Ana")]
    payloads = site.world.query("SELECT payload FROM attempts WHERE channel = 'action'")
    assert len(payloads) == 2
    assert payloads[0] == payloads[1]


@pytest.mark.parametrize(
    ("guarantee", "becomes", "sent"), [("at_most_once", "review", 1), ("at_least_once", "sent", 2)]
)
def test_an_email_without_an_answer_follows_the_rule_of_the_workspace(
    site: Site, guarantee: str, becomes: str, sent: int
) -> None:
    site.world.execute("UPDATE workspaces SET smtp_guarantee = %s", guarantee)
    site.sandbox.client.add_fault("email", "silence", "accepted", times=1)
    with site.working(**QUICK, provider_timeout_seconds=1):
        notifying(site, "maria@example.com")
        until_step(site, "tell", becomes)
        until_step(site, "bye", "sent")
    assert len(mails(site)) == sent
    assert len(set(site.world.query("SELECT payload::text FROM attempts WHERE channel = 'action'"))) == 1


def test_an_email_whose_worker_was_lost_is_not_sent_again(site: Site) -> None:
    site.sandbox.client.add_fault("email", "silence", "accepted", times=1)
    with site.working(**QUICK, provider_timeout_seconds=20, lease_seconds=60):
        notifying(site, "maria@example.com")
        wait_for(lambda: len(mails(site)) == 1, lambda: told(site))
        site.world.execute("UPDATE outbox SET lease_until = clock_timestamp() WHERE step_key = 'tell'")
        until_step(site, "tell", "review")
        until_step(site, "bye", "sent")
    assert len(mails(site)) == 1
