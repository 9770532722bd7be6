"""Sequences made from others, their tags, and how much they are used."""

from typing import Any

import pytest
from pauser import WHO
from world import World

from engine.errors import InvalidInput, NotFound
from producers.archiving import archive
from producers.sequence_edits import copy_of, publish_copy, reordered, version_of
from producers.sequence_list import Used, change_tags, list_sequences
from schema.definition import Definition, parse

BRANCHES = """
sequence: branches
tags: [demo]
steps:
  - {key: hello, type: email, subject: Hi, text: Hi}
  - {key: idle, type: wait, delay: 1 hour}
  - key: read
    type: condition
    if: {opened: hello}
    then: [{key: one, type: sms, delay: 1 day, body: One}, {key: two, type: sms, delay: 1 day, body: Two}]
  - {key: bye, type: sms, delay: 1 day, body: Bye}
"""


def keys(definition: Definition) -> list[str]:
    return [step.key for step in definition.walk()]


def tags(world: World, *changes: str, sequence: str = "branches") -> list[str]:
    add, remove = ([one[1:] for one in changes if one[0] == sign] for sign in "+-")
    with world.database.transaction() as session:
        return change_tags(session, 1, sequence, add, remove)


def test_a_step_moves_within_its_branch() -> None:
    definition = parse(BRANCHES)
    assert keys(reordered(definition, "bye", before="read")) == ["hello", "idle", "bye", "read", "one", "two"]
    assert keys(reordered(definition, "hello", after="idle")) == ["idle", "hello", "read", "one", "two", "bye"]
    assert keys(reordered(definition, "one", after="two")) == ["hello", "idle", "read", "two", "one", "bye"]
    assert reordered(definition, "idle", after="hello") == definition


@pytest.mark.parametrize(
    ("step", "where", "problem"),
    [
        ("hello", {"after": "bye"}, "would not be valid: step read: "),
        ("one", {"before": "bye"}, "different branches"),
        ("bye", {"before": "bye"}, "itself"),
        ("bye", {"before": "nothing"}, "unknown step 'nothing'"),
        ("by", {"before": "hello"}, "did you mean 'bye'"),
        ("bye", {}, "--before"),
        ("bye", {"before": "hello", "after": "hello"}, "--before"),
    ],
)
def test_a_step_moves_nowhere_where_it_can_not_be(step: str, where: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        reordered(parse(BRANCHES), step, **where)


def test_a_copy_has_the_same_steps_and_a_key_of_its_own(world: World) -> None:
    world.publish(BRANCHES)
    with world.database.transaction() as session:
        copy = copy_of(version_of(session, 1, "branches"), "again", None)
        assert publish_copy(session, 1, copy).number == 1
        assert (copy.sequence, copy.name, copy.tags) == ("again", "branches (copy)", ("demo",))
        assert version_of(session, 1, "again").steps == version_of(session, 1, "branches").steps
        with pytest.raises(InvalidInput, match="already"):
            publish_copy(session, 1, copy)
        with pytest.raises(InvalidInput, match="is no key"):
            copy_of(copy, "No Key", None)


def test_versions_are_found_by_their_numbers(world: World) -> None:
    world.publish(BRANCHES)
    world.publish(BRANCHES.replace("Bye", "Goodbye"))
    with world.database.transaction() as session:
        assert version_of(session, 1, "branches", 1) == parse(BRANCHES)
        assert version_of(session, 1, "branches").steps != version_of(session, 1, "branches", 1).steps
        assert version_of(session, 1, "branches", 2, lock=True) == version_of(session, 1, "branches")
        for number in (0, 3, 2**40):
            with pytest.raises(NotFound, match="the newest is 2"):
                version_of(session, 1, "branches", number)


def test_tags_given_by_hand_stay_until_those_of_the_file_change(world: World) -> None:
    world.publish(BRANCHES)
    assert tags(world, "+b", "+c", "-demo") == ["b", "c"]
    assert tags(world, "+b") == ["b", "c"]
    world.publish(BRANCHES)
    world.publish(BRANCHES.replace("Bye", "Goodbye"))
    assert tags(world, "-x") == ["b", "c"]
    world.publish(BRANCHES.replace("[demo]", "[demo, trial]"))
    assert tags(world, "-x") == ["demo", "trial"]
    for wrong in ("", "a,b", " a", "x" * 64):
        with pytest.raises(InvalidInput, match="can't be a tag"):
            tags(world, f"+{wrong}")
    with pytest.raises(InvalidInput, match="at most 50"):
        tags(world, *(f"+t{number}" for number in range(50)))


def listed(world: World, *wanted: str) -> list[Used]:
    with world.database.transaction() as session:
        return list_sequences(session, 1, wanted)


def test_how_much_a_sequence_is_used_is_counted(world: World) -> None:
    world.publish(BRANCHES)
    world.enroll(count=4)
    world.execute("UPDATE outbox SET status = 'sent', sent_at = now() WHERE step_order = 1 AND enrollment_id < 4")
    world.execute("UPDATE outbox SET status = 'open' WHERE step_order = 2 AND enrollment_id = 1")
    world.execute("UPDATE enrollments SET status = 'completed', completed_at = now() WHERE id = 2")
    world.execute("UPDATE enrollments SET status = 'paused', paused_at = now() WHERE id = 3")
    world.execute("INSERT INTO workspaces (key, name) VALUES ('other', 'Other')")
    world.publish(workspace_id=2)
    branches, follow_up = listed(world)
    assert (branches.sequence, branches.tags, branches.steps) == ("branches", ["demo"], 6)
    assert (branches.active, branches.messages_sent, branches.last_enrolled_at) == (0, 0, None)
    assert (follow_up.active, follow_up.paused, follow_up.completed, follow_up.cancelled) == (2, 1, 1, 0)
    assert (follow_up.messages_sent, follow_up.tasks_open, follow_up.version) == (3, 1, 1)
    ((last,),) = world.query("SELECT max(enrolled_at) FROM enrollments")
    assert follow_up.last_enrolled_at == last
    assert [one.sequence for one in listed(world, "demo")] == ["branches"]
    with pytest.raises(NotFound, match="unknown tag 'other': there are demo"):
        listed(world, "demo", "other")
    archive(world.database, WHO, "follow-up")
    assert (listed(world)[1].status, listed(world)[1].cancelled) == ("archived", 3)
