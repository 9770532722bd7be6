"""The link of an email works as long as somebody has the email: also when its steps are archived, or detached."""

import pytest
from old_enrollments import long_ago
from world import World

from engine.errors import NotFound
from engine.outbox.settle import Ending, settle
from engine.rules import unsubscribe as links
from producers import cold_months
from producers.retention import retain
from producers.unsubscribing import subscription_of, unsubscribe
from schema.states import RowStatus

MAIL = 'sequence: mail\nreentry: always\nsteps: [{key: it, type: email, subject: Hi, text: "Hi"}]'


@pytest.fixture
def archived(world: World) -> World:
    """One email that went out long ago, and is archived."""
    world.publish(MAIL)
    (one,) = world.enroll("mail")
    (begun,) = world.begin(world.ids())
    message = f"<{begun.id}@example.com>"
    ending = Ending(begun.id, begun.fence, "email", RowStatus.SENT, outcome="accepted", provider_id=message)
    with world.database.transaction() as session:
        settle(session, [ending])
    world.execute("UPDATE attempt_records SET recipient = (SELECT email FROM contacts WHERE id = 1), channel = 'email'")
    long_ago(world, one.enrollment_id)
    assert retain(world.database, 18).moved() == 1
    return world


def follow(world: World, token: str | None = None) -> list[tuple[str, str, str]]:
    """Press the button; return who is barred then."""
    ((public_id, secret, email),) = world.query(
        "SELECT w.public_id, w.webhook_secret, c.email FROM workspaces w JOIN contacts c ON c.workspace_id = w.id"
    )
    with world.database.transaction() as session:
        unsubscribe(session, public_id, token or links.sign(secret, 1, email))
    people = world.query("SELECT contact_id, channel FROM contact_opt_outs")
    assert people in ([], [(1, "email")])
    return world.query("SELECT channel, address, reason FROM suppressions")


def detach(world: World) -> None:
    ((month,),) = world.query("SELECT archived_month FROM enrollments")
    assert cold_months.detach(world.database, month)


def test_the_link_of_an_archived_email_unsubscribes(archived: World) -> None:
    ((email,),) = archived.query("SELECT email FROM contacts")
    assert follow(archived) == follow(archived) == [("email", email, "unsubscribed")]
    assert archived.query("SELECT outbox_id, contact_id FROM events") == [(1, 1)]


def test_the_link_of_a_detached_email_unsubscribes_whoever_has_the_address(archived: World) -> None:
    detach(archived)
    ((email,),) = archived.query("SELECT email FROM contacts")
    assert follow(archived) == follow(archived) == [("email", email, "unsubscribed")]
    assert archived.query("SELECT outbox_id, contact_id FROM events") == [(None, 1)]


def test_a_detached_email_to_an_address_that_nobody_has_any_more_is_not_known(archived: World) -> None:
    detach(archived)
    ((public_id, secret, email),) = archived.query(
        "SELECT w.public_id, w.webhook_secret, c.email FROM workspaces w, contacts c"
    )
    archived.execute("UPDATE contacts SET email = 'new@example.com', email_key = 'new@example.com'")
    with archived.database.transaction() as session, pytest.raises(NotFound, match="is not known any more"):
        subscription_of(session, public_id, links.sign(secret, 1, email))


@pytest.mark.parametrize("public_id", ["\0", "a\0b", "", "x" * 65, "ws_nobody"])
def test_a_workspace_that_is_not_there_is_not_known(archived: World, public_id: str) -> None:
    with archived.database.transaction() as session, pytest.raises(NotFound, match="this link is not complete"):
        subscription_of(session, public_id, "token")


def test_a_token_has_one_spelling(archived: World) -> None:
    ((secret,),) = archived.query("SELECT webhook_secret FROM workspaces")
    token = links.sign(secret, 1, "ada@example.com")
    assert links.read(secret, token) is not None
    for spelling in (token + "!" * 50, token + "=", "!" + token, token[:-1], token + "\n"):
        assert links.read(secret, spelling) is None
