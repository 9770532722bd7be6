"""Human tasks in sequence files."""

import pytest

from schema.definition import Definition, InvalidDefinition, TaskStep, parse
from schema.states import TASK_TYPES, Priority

FULL = """
sequence: demo
assignee: "{{ custom.owner }}"
steps:
  - key: prepare
    type: internal_activity
    delay: 1 day
    name: Prepare demo materials
    description: "For {{ contact.first_name }}"
    priority: high
    assignee: maria@example.com
    outcomes: [ready, not_ready, ready]
"""


def test_a_task_says_all_of_it() -> None:
    definition = parse(FULL)
    assert definition.assignee == "{{ custom.owner }}"
    (task,) = definition.steps
    assert isinstance(task, TaskStep)
    assert task.priority is Priority.HIGH
    assert task.outcomes == ("ready", "not_ready")
    assert task.gate
    assert definition.needs == frozenset()
    assert Definition.restore(definition.canonical()) == definition


@pytest.mark.parametrize("kind", TASK_TYPES)
def test_each_type_of_task_needs_only_a_key(kind: str) -> None:
    (task,) = parse(f"sequence: a\nsteps: [{{key: x, type: {kind}}}]").steps
    assert isinstance(task, TaskStep)
    assert task.priority is Priority.MEDIUM


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("priority: urgent", "'priority' can't be 'urgent': expected low, medium or high"),
        ("description: '{{ contact.nme }}'", "unknown variable 'contact.nme'"),
        ("assignee: '{{ owner }}'", "unknown variable 'owner'"),
        ("outcomes: [Not now]", "'outcomes' can't be 'Not now': expected a list of what can come of it"),
        ("body: hi", "unknown key 'body'"),
        ("stop_on_failure: true", "unknown key 'stop_on_failure'"),
    ],
)
def test_what_is_wrong_with_a_task_is_told(more: str, expected: str) -> None:
    with pytest.raises(InvalidDefinition) as caught:
        parse(f"sequence: a\nsteps:\n  - {{key: x, type: call, {more}}}\n")
    (problem,) = str(caught.value).splitlines()
    assert problem.startswith("line 3: step x: ")
    assert expected in problem


def test_the_assignee_of_the_sequence_is_a_template() -> None:
    with pytest.raises(InvalidDefinition, match=r"line 2: 'assignee': unknown variable 'contact\.owner'"):
        parse("sequence: a\nassignee: '{{ contact.owner }}'\nsteps: [{key: x, type: call}]\n")


def test_a_message_may_follow_a_task_at_once() -> None:
    parse("""
sequence: a
steps:
  - {key: x, type: sms, body: hi}
  - {key: y, type: call}
  - {key: z, type: sms, body: hi}
""")


def test_a_sequence_without_an_assignee_keeps_its_digest() -> None:
    assert "assignee" not in parse("sequence: a\nsteps: [{key: x, type: sms, body: hi}]").canonical()
