"""Templates of messages and tasks: their files, and what steps take from them."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import pytest

from schema.definition import Definition, EmailStep, InvalidDefinition, lint, parse
from schema.definition.library import Template
from schema.definition.references import to_file_data
from schema.definition.template_file import is_template_file, lint_template, parse_template
from schema.definition.writing import to_yaml, yaml_of

WELCOME = """
kind: message_template
template: welcome
type: email
name: Welcome
subject: "Welcome, {{ contact.first_name }}"
text: |
  Good to have you.
html: <p>Good to have you.</p>
transactional: true
cc: boss@example.com
"""

RING = """
{"kind": "task_template", "template": "first-call", "type": "call", "name": "First call",
 "description": "Ask {{ contact.first_name }}", "priority": "high", "outcomes": ["reached", "not_reached"]}
"""


@dataclass
class Shelf:
    """A library in memory."""

    templates: dict[tuple[str, int], Template] = field(default_factory=dict)

    def put(self, text: str) -> "Shelf":
        """Publish the file of a template."""
        file = parse_template(text)
        number = 1 + sum(key == file.key for key, _ in self.templates)
        self.templates[file.key, number] = Template(file.key, number, file.type, file.content)
        return self

    def find(self, key: str, version: int | None) -> Template | None:
        """Find one."""
        newest = sum(known == key for known, _ in self.templates)
        return self.templates.get((key, newest if version is None else version))

    def keys(self) -> Collection[str]:
        """Return the keys."""
        return {key for key, _ in self.templates}


SHELF = Shelf().put(WELCOME).put(RING)


def sequence(*steps: str) -> str:
    return "sequence: taking\nsteps:\n" + "".join(f"  - {{{step}}}\n" for step in steps)


def problems(text: str, library: Any = SHELF) -> list[str]:
    with pytest.raises(InvalidDefinition) as error:
        parse(text, library)
    return [f"{problem.line}: {problem}" for problem in error.value.problems]


def email(definition: Definition) -> EmailStep:
    step = definition.steps[0]
    assert isinstance(step, EmailStep)
    return step


@pytest.mark.parametrize("text", [WELCOME, RING])
def test_the_file_of_a_template_is_read_and_written(text: str) -> None:
    file = parse_template(text)
    assert is_template_file(text)
    assert parse_template(file.to_yaml()) == file
    assert not is_template_file(sequence("key: hi, type: email, template: welcome"))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("message_template", "mesage_template"), "2: 'kind' can't be 'mesage_template' (did you mean"),
        (("kind: message_template\n", ""), "2: 'kind' is missing: expected message_template, task_template"),
        (("type: email", "type: mail"), "4: 'type' can't be 'mail' (did you mean 'email'?): expected email, sms"),
        (("type: email", "type: call"), "4: 'type' can't be 'call': expected email, sms"),
        (("template: welcome", "template: Not A Key"), "3: 'template' can't be 'Not A Key': expected a key"),
        (("template: welcome\n", ""), "2: 'template' is missing: expected a key"),
        (("subject:", "subjct:"), "6: unknown key 'subjct' (did you mean 'subject'?): expected kind, template, type"),
        (("transactional: true", "delay: 1 day"), "10: unknown key 'delay'"),
        (("contact.first_name", "contact.frist_name"), "6: 'subject': "),
        (("Good to have you.\n", "{{ oops }\n"), "8: 'text': "),
    ],
)
def test_what_is_wrong_with_the_file_is_said_with_its_line_and_field(change: tuple[str, str], problem: str) -> None:
    with pytest.raises(InvalidDefinition) as error:
        parse_template(WELCOME.replace(*change, 1))
    found = [f"{one.line}: {one}" for one in error.value.problems]
    assert any(one.startswith(problem) for one in found), found


def test_a_step_takes_what_it_does_not_say_itself() -> None:
    text = sequence(
        "key: hi, type: email, template: welcome, subject: Hello", "key: ring, type: call, template: first-call"
    )
    definition = parse(text, SHELF)
    hi, ring = definition.canonical()["steps"]
    assert (hi["subject"], hi["text"], hi["name"], hi["cc"]) == (
        "Hello", "Good to have you.\n", "Welcome", ["boss@example.com"],
    )  # fmt: skip
    assert hi["template"] == {"key": "welcome", "version": 1}
    assert (ring["priority"], ring["outcomes"], ring["name"]) == ("high", ["reached", "not_reached"], "First call")
    assert parse(to_yaml(definition)) == definition, "a version is complete: it needs no library"


def test_the_text_and_the_html_of_a_message_belong_together() -> None:
    step = email(parse(sequence("key: hi, type: email, template: welcome, text: Other words"), SHELF))
    assert (step.text, step.html) == ("Other words", None)


@pytest.mark.parametrize(
    "step",
    [
        "key: hi, type: email, template: welcome",
        "key: hi, type: email, template: welcome, subject: Hello, delay: 1 day",
        "key: hi, type: email, template: welcome, text: Other words",
        "key: hi, type: email, template: welcome, transactional: false, cc: []",
        "key: hi, type: email, template: {key: welcome, version: 1}",
        "key: hi, type: call, template: first-call, priority: medium, outcomes: []",
        "key: hi, type: condition, if: {has: plan}, then: [{key: ring, type: call, template: first-call}]",
    ],
)
def test_a_version_is_shown_as_the_file_that_makes_it(step: str) -> None:
    shelf = Shelf().put(WELCOME).put(RING)
    definition = parse(sequence(step), shelf)
    shelf.put(WELCOME.replace("Good", "So good")).put(RING.replace("Ask", "Do ask"))
    data = to_file_data(definition, shelf)
    assert parse(yaml_of(data), shelf) == definition
    assert "Good to have you" not in yaml_of(data)
    assert parse(yaml_of(to_file_data(definition, Shelf()))).steps[0].key == "hi", "its template is deleted"


def test_what_can_not_be_taken_is_said_beside_all_else_that_is_wrong() -> None:
    text = sequence(
        "key: hi, type: email, template: welcom",
        "key: two, type: email, delay: 1 day, template: {key: welcome, version: 9}",
        "key: three, type: sms, dely: 1 day, template: welcome",
        "key: four, type: call, template: [welcome]",
        "key: five, type: wait, delay: 1 day, template: welcome",
    )
    first, second, third, misspelt, *_, fourth, fifth = problems(text)
    assert first == (
        "3: step hi: 'template': there is no template 'welcom' (did you mean 'welcome'?): there are first-call,"
        " welcome; correct the key, or apply that template too"
    )
    assert second.startswith("4: step two: 'template': 'welcome' has no version 9: write `template: welcome`")
    assert third.startswith("5: step three: 'template': 'welcome' is of type email, and this step of type sms")
    assert "'dely' (did you mean 'delay'?)" in misspelt
    assert fourth.startswith("6: step four: 'template' can't be a list: expected the key of a template")
    assert fifth.startswith("7: step five: unknown key 'template'")
    reached = "key: if, type: condition, if: {outcome: {ring: reached}}, then: [{key: w, type: wait, delay: 1 day}]"
    (only,) = problems(sequence("key: ring, type: call, template: frist-call", reached))
    assert "did you mean 'first-call'" in only, "what it can come to is not known"
    (alone,) = problems(sequence("key: hi, type: email, template: welcome"), None)
    assert "only a workspace has templates" in alone
    (none,) = problems(sequence("key: hi, type: sms, template: x"), Shelf())
    assert "there is none yet" in none


def test_mistakes_in_texts_are_found_in_templates_and_in_what_is_taken() -> None:
    mistaken = WELCOME.replace("  Good to", "  *|FNAME|*, good to")
    (warning,) = lint_template(mistaken)
    assert (warning.line, warning.step) == (8, None)
    assert "is a merge tag of another system" in warning.message
    (taken,) = lint(sequence("key: hi, type: email, template: welcome"), Shelf().put(mistaken))
    assert (taken.line, taken.step) == (3, "hi")
