"""What is in force for a message: the step's word, else its sequence's, else the workspace's, else the settings'."""

from email import message_from_string, policy

import pytest
from people_at_work import until_step
from stage_site import Site
from world import World

from deploy.sandbox.ledger import read_entries
from engine.errors import InvalidInput
from engine.outbox.settle import Ending, settle
from producers.channels_in_use import senders_in_use
from producers.workspace_mail import Mail
from producers.workspaces import Workspace, change
from schema.states import RowStatus

TWO = """
sequence: two
HEADER
steps:
  - {key: plain, type: email, subject: Plain, text: "From {{ sender.name }}, {{ sender.email }}"}
  - {key: own, type: email, delay: 1 hour, subject: Own, text: Hi, from: "Bob <bob@x.example>", sender_name: Bobby}
"""
QUICK = {"reconcile_grace_seconds": 0.3, "reconcile_interval_seconds": 0.3}


def say(world: World, **mail: str | int) -> Workspace:
    """Change what the workspace says of its messages."""
    with world.database.transaction() as session:
        return change(session, "default", mail=Mail(**mail))  # type: ignore[arg-type]


def senders(site: Site) -> list[tuple[str, str]]:
    """The From of each email that was accepted, and its text."""
    entries = [entry for entry in read_entries(site.sandbox.ledger) if entry.event == "accepted"]
    found = [message_from_string(entry.raw or "", policy=policy.default) for entry in entries]
    return [(str(message["From"]), message.get_content().strip()) for message in found]


def test_a_step_comes_before_its_sequence_and_that_before_the_workspace(site: Site) -> None:
    say(site.world, email_from="team@acme.example", sender_name="Team")
    site.world.publish(TWO.replace("HEADER", "name: Two"))
    site.world.publish(TWO.replace("HEADER", 'from: "Ana <ana@x.example>"').replace("two", "address"))
    site.world.publish(TWO.replace("HEADER", "sender_name: Ana").replace("two", "only-name"))
    for key in ("two", "address", "only-name"):
        site.enroll(key)
    with site.working():
        site.until(*["sent", "pending"] * 3)
        site.jump(1)
        site.until(*["sent"] * 6)
    assert sorted(senders(site)) == [
        ("Ana <ana@x.example>", "From Ana, ana@x.example"),
        ("Ana <team@acme.example>", "From Ana, team@acme.example"),
        *[("Bobby <bob@x.example>", "Hi")] * 3,
        ("Team <team@acme.example>", "From Team, team@acme.example"),
    ]


def test_a_version_keeps_its_sender_and_the_workspace_s_counts_at_hand_over(site: Site) -> None:
    site.world.publish(TWO.replace("HEADER", "sender_name: Ana"))
    site.enroll("two")
    site.world.publish(TWO.replace("HEADER", "sender_name: Eve"))
    say(site.world, email_from="new@acme.example")
    with site.working():
        until_step(site, "plain", "sent")
    assert senders(site)[0][0] == "Ana <new@acme.example>"


def test_the_guarantee_of_a_sequence_comes_before_the_workspace_s(site: Site) -> None:
    say(site.world, guarantee="at_least_once")
    site.world.publish("""
sequence: once
guarantee: at_most_once
steps:
  - {key: sequence-s, type: email, subject: Hi, text: Hi}
  - {key: step-s, type: email, delay: 1 hour, subject: Hey, text: Hey, guarantee: at_least_once}
""")
    site.sandbox.client.add_fault("email", "drop", "accepted", times=2)
    site.enroll("once")
    with site.working(**QUICK):
        until_step(site, "sequence-s", "review")
        site.jump(1)
        until_step(site, "step-s", "sent")
    assert site.world.statuses() == ["review", "sent"]
    assert {text: times for (_, text), times in site.accepted().items()} == {"Hi": 1, "Hey": 2}


def test_a_row_without_its_enrollment_follows_the_workspace(site: Site) -> None:
    site.world.publish("sequence: gone\nsteps: [{key: it, type: email, subject: Hi, text: Hi}]")
    site.enroll("gone")
    (row,) = site.world.begin(site.world.ids())
    with site.world.database.transaction() as session:
        settle(session, [Ending(row.id, row.fence, "email", RowStatus.UNKNOWN, outcome="unanswered")])
    site.world.execute("SET LOCAL session_replication_role = replica; DELETE FROM enrollments")
    with site.working(**QUICK):
        until_step(site, "it", "review")


def test_tries_are_those_of_the_step_the_sequence_or_the_workspace(site: Site) -> None:
    say(site.world, max_tries=2)
    for key, header, step in (("w", "", ""), ("q", "max_tries: 1", ""), ("s", "max_tries: 1", ", max_tries: 2")):
        site.world.publish(
            f"sequence: {key}\n{header}\nsteps: [{{key: {key}, type: email, subject: S, text: T{step}}}]"
        )
        site.enroll(key)
    site.sandbox.client.add_fault("email", "reply", "rcpt", code=452, text="4.2.2 mailbox full")
    with site.working():
        for key in "wqs":
            until_step(site, key, "failed")
    assert site.world.rows("step_key, attempts") == [("w", 2), ("q", 1), ("s", 2)]


def test_a_workspace_says_who_sends_and_takes_it_back(world: World) -> None:
    said = say(
        world, email_from="Sales <sales@acme.example>", sender_name="Acme", max_tries=7, guarantee="at_least_once"
    )
    assert (said.email_from, said.sender_name) == ("Sales <sales@acme.example>", "Acme")
    assert (said.max_tries, said.smtp_guarantee) == (7, "at_least_once")
    world.publish(TWO.replace("HEADER", "from: ana@x.example"))
    with world.database.transaction() as session:
        assert senders_in_use(session) == ["Sales <sales@acme.example>", "ana@x.example", "Bob <bob@x.example>"]
    gone = say(world, email_from="", sender_name="", guarantee="")
    assert (gone.email_from, gone.sender_name, gone.max_tries, gone.smtp_guarantee) == (None, None, 7, None)
    for problem, given in (
        ("from 'nobody': expected an email address", {"email_from": "nobody"}),
        ("max_tries 21: Input should be less than or equal to 20", {"max_tries": 21}),
        ("sender_name '{{ custom.x }}': it is no template", {"sender_name": "{{ custom.x }}"}),
    ):
        with pytest.raises(InvalidInput, match=problem.replace("{", r"\{")):
            say(world, **given)  # type: ignore[arg-type]
