"""A definition as a file: reading it gives the same definition."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from schema.definition import Definition, parse
from schema.definition.writing import to_yaml

EXAMPLES = sorted((Path(__file__).parents[2] / "deploy" / "examples").glob("*.yaml"))

ALL = """
sequence: all
name: "All: of it"
tags: [demo, "10:30"]
reentry: {after: 90 minutes}
timezone: Europe/Rome
window: {days: [mon, tue], from: "09:00", to: "17:00", holidays: [US, "NO"]}
quiet_hours: off
exit_on: [replied]
goal: {any: [{attribute: {after: ["5"]}}, {attribute: {by: x}}, {event: within}]}
assignee: "{{ custom.owner }}"
steps:
  - {key: a, type: email, subject: "123", text: "Hi\\n\\n  there \\n", delay: 2 business days, at: "09:30"}
  - {key: b, type: sms, body: "on", delay: 24 hours, media_url: "https://x.example/a.png", max_lateness: 6 hours}
  - key: c
    type: condition
    if: {any: [{opened: a}, {not: {clicked: {step: a, link: "https://x*"}}}, {attribute: {x: ["1", b]}}], within: 1 day}
    then: [{key: d, type: sms, body: "\\u2028x\\u0085", delay: 1 day, quiet_hours: {from: "21:00", to: "08:00"}}]
    else: [{key: e, type: action, set: {a: "1"}}, {key: e2, type: action, exit: true}]
  - {key: f, type: wait, until: {event: paid, within: 0.5 hours}}
  - {key: g, type: call, name: G, outcomes: [x, y], assignee: maria, delay: 0.51 minutes, priority: high}
  - key: h
    type: variants
    variants: {a: {weight: 2, steps: [{key: i, type: sms, body: i, stop_on_failure: true}]}, b: {}}
  - {key: j, type: sms, before: {attribute: renewal, by: 3 days}, at: "10:00", body: hi, window: off, if_late: shift}
  - {key: k, type: sms, after_start: 2 weeks, body: hi}
  - {key: l, type: wait, delay: 1.5 hours}
  - key: m
    type: action
    webhook:
      url: "https://x.example/h"
      body: {delay: 5, after: 60, no: null, l: [1.5, {by: 7}], yes: "1", t: "{{ contact.email }}"}
  - {key: n, type: action, notify: {to: owner, subject: "1", text: hi}}
  - {key: o, type: action, set: {delay: "60", after: "x"}}
"""


def same(definition: Definition) -> None:
    text = to_yaml(definition)
    again = parse(text)
    assert again == definition, text
    assert again.digest() == definition.digest()
    assert to_yaml(again) == text


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_are_written_as_they_are_read(path: Path) -> None:
    same(parse(path.read_text(encoding="utf-8")))


def test_everything_that_a_definition_can_have_is_written() -> None:
    text = ALL.replace("\\u2028x\\u0085", "x")
    same(parse(text))
    written = yaml.safe_load(to_yaml(parse(text)))
    assert written["reentry"] == {"after": "90 minutes"}
    assert list(written["steps"][0]) == ["key", "type", "delay", "at", "subject", "text"]


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40).filter(lambda text: text.strip()),
    st.integers(60, 10**7),
)
def test_any_text_and_any_time(text: str, seconds: int) -> None:
    body = text.replace("{", "(").replace("}", ")")
    minutes = f"{seconds / 60:.6f} minutes"
    data = {
        "sequence": "s",
        "reentry": {"after": minutes},
        "steps": [{"key": "a", "type": "sms", "body": body, "max_lateness": minutes, "delay": minutes}],
    }
    same(parse(yaml.safe_dump(data)))
