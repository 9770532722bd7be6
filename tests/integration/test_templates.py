"""The library of a workspace: templates are published in versions, used, copied, and deleted when nothing uses them."""

from pathlib import Path
from threading import Thread

import psycopg
import pytest
from cli import waiting
from pauser import WHO
from stage_site import GENEROUS, Site, wait_for
from world import World

from deploy.audit import audit
from engine.errors import InvalidInput, NotFound
from producers.applying import apply_file
from producers.archiving import archive, unarchive
from producers.sequences import definition_of, find_sequence, publish
from producers.template_uses import Use, behind
from producers.templates import (
    PublishedTemplate,
    WorkspaceLibrary,
    delete_template,
    duplicate_template,
    list_templates,
    publish_template,
    template_of,
)
from schema.definition.references import to_file_data
from schema.definition.template_file import parse_template

WELCOME = """
kind: message_template
template: welcome
type: email
name: Welcome
subject: Welcome
text: "Good to have you, {{ contact.first_name | default: 'friend' }}"
"""
RING = "kind: task_template\ntemplate: ring\ntype: call\nname: Ring\noutcomes: [reached]\n"
HELLO = """
sequence: hello
steps:
  - {key: hi, type: email, template: welcome}
  - {key: call, type: call, delay: 1 day, template: ring}
"""


def put(world: World, text: str, by: str | None = None) -> PublishedTemplate:
    """Publish a template."""
    with world.database.transaction() as session:
        return publish_template(session, 1, parse_template(text), by)


def apply(world: World, text: str = HELLO) -> int:
    """Publish a sequence with what its steps take, and give its version."""
    with world.database.transaction() as session:
        definition = definition_of(Path("hello.yaml"), text, WorkspaceLibrary(session, 1))
        return publish(session, 1, definition).number


def test_a_newer_template_changes_no_sequence_before_it_is_applied_again(site: Site) -> None:
    world = site.world
    put(world, RING)
    assert put(world, WELCOME) == PublishedTemplate("welcome", "message_template", 1, changed=True)
    assert put(world, WELCOME) == PublishedTemplate("welcome", "message_template", 1, changed=False)
    assert apply(world) == 1
    site.enroll("hello", first_name="Ana")
    assert put(world, WELCOME.replace("Good", "So good"), by="eve").version == 2
    site.enroll("hello", first_name="Bob")
    with world.database.transaction() as session:
        ring, welcome = list_templates(session, 1)
        assert [one.template for one in list_templates(session, 1, "task_template")] == ["ring"]
    assert ring.uses == [Use("hello", "call", 1)]
    assert (welcome.name, welcome.type, welcome.version, welcome.applied_by) == ("Welcome", "email", 2, "eve")
    assert behind(welcome.uses, 2) == [Use("hello", "hi", 1)]
    assert apply(world) == 2
    assert apply(world) == 2, "nothing has changed"
    site.enroll("hello", first_name="Cem")
    with site.working():
        site.until(*["sent", "pending"] * 3)
    bodies = world.query("SELECT payload ->> 'text' FROM attempts ORDER BY outbox_id")
    assert [body for (body,) in bodies] == [
        "Good to have you, Ana",
        "Good to have you, Bob",
        "So good to have you, Cem",
    ]
    assert audit(world.database, site.sandbox.ledger).clean


def test_a_template_is_copied_and_found_by_its_versions(world: World) -> None:
    put(world, WELCOME, by="ana")
    put(world, WELCOME.replace("Good", "So good"), by="bob")
    with world.database.transaction() as session:
        assert duplicate_template(session, 1, "welcome", "again", "Once more", "cem").version == 1
        copy, number = template_of(session, 1, "again")
        assert (copy.type, copy.content["name"], number) == ("email", "Once more", 1)
        assert copy.content["text"].startswith("So good")
        first, number = template_of(session, 1, "welcome", 1)
        assert (first, number) == (parse_template(WELCOME), 1)
        for problem, key, new in (
            ("there is a template 'again' already", "welcome", "again"),
            ("'template' can't be 'No Key': expected a key", "welcome", "No Key"),
            (r"unknown template 'welcom' \(did you mean 'welcome'", "welcom", "other"),
        ):
            with pytest.raises((InvalidInput, NotFound), match=problem):
                duplicate_template(session, 1, key, new, None, None)
        with pytest.raises(NotFound, match="has no version 3: the newest is 2"):
            template_of(session, 1, "welcome", 3)
    with pytest.raises(InvalidInput, match="is of type email, and can't become one of type sms"):
        put(world, "kind: message_template\ntemplate: welcome\ntype: sms\nbody: Hi")
    assert world.query("SELECT created_by FROM template_versions ORDER BY id") == [("ana",), ("bob",), ("cem",)]
    with pytest.raises(psycopg.Error, match="immutable"):
        world.execute("UPDATE template_versions SET number = 7 WHERE number = 2")


def test_a_template_that_is_used_is_not_deleted_and_where_is_said(world: World) -> None:
    put(world, RING)
    put(world, WELCOME)
    apply(world)
    apply(world, HELLO.replace("sequence: hello", "sequence: old"))
    archive(world.database, WHO, "old")
    with pytest.raises(InvalidInput) as error, world.database.transaction() as session:
        delete_template(session, 1, "welcome", WHO)
    assert str(error.value) == (
        "template 'welcome' is used by 1 step: hi of hello; apply these sequences without it first"
    )
    assert apply(world, "sequence: hello\nsteps: [{key: hi, type: email, subject: Hi, text: Hi}]") == 2
    with world.database.transaction() as session:
        delete_template(session, 1, "welcome", WHO)
        with pytest.raises(NotFound, match="unknown template 'welcome'"):
            delete_template(session, 1, "welcome", WHO)
    unarchive(world.database, WHO, "old")
    world.enroll("old")
    with world.database.transaction() as session:
        data = to_file_data(find_sequence(session, 1, "old").definition, WorkspaceLibrary(session, 1))
    assert data["steps"][0]["subject"] == "Welcome", "versions are complete without their templates"
    assert [step.get("template") for step in data["steps"]] == [None, {"key": "ring", "version": 1}]
    assert world.query("SELECT reason FROM history WHERE became = 'deleted'") == [(f"template welcome; {WHO.reason}",)]


def test_a_template_that_is_being_used_is_not_deleted_meanwhile(world: World) -> None:
    put(world, WELCOME)
    said: list[str] = []

    def delete() -> None:
        try:
            with world.database.transaction() as session:
                delete_template(session, 1, "welcome", WHO)
        except InvalidInput as error:
            said.append(str(error))

    text = "sequence: hello\nsteps: [{key: hi, type: email, template: welcome}]"
    with world.database.transaction() as session:
        definition = definition_of(Path("hello.yaml"), text, WorkspaceLibrary(session, 1))
        deleting = Thread(target=delete)
        deleting.start()
        wait_for(lambda: waiting(world.database) or not deleting.is_alive(), "the deletion waits")
        publish(session, 1, definition)
    deleting.join(GENEROUS)
    assert said == ["template 'welcome' is used by 1 step: hi of hello; apply these sequences without it first"]


def test_a_file_is_applied_whatever_it_holds(world: World, tmp_path: Path) -> None:
    for name, text in (("welcome", WELCOME), ("ring", RING), ("hello", HELLO)):
        path = tmp_path / f"{name}.yaml"
        path.write_text(text)
        with world.database.transaction() as session:
            apply_file(session, 1, path)
    with world.database.transaction() as session:
        assert [len(one.uses) for one in list_templates(session, 1)] == [1, 1]
        assert WorkspaceLibrary(session, 1).find("welcome\n", None) is None
    path.write_text("kind: message_template\ntemplate: t\ntype: sms\nbodi: Hi")
    with (
        pytest.raises(InvalidInput, match=r"hello.yaml:4: unknown key 'bodi'"),
        world.database.transaction() as session,
    ):
        apply_file(session, 1, path)
