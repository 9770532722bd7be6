"""The texts of a sequence as one contact would get them, with what is missing marked."""

from typing import Any

import pytest

from engine.rules.preview import Preview, preview, preview_values
from engine.rules.rendering import RenderError
from schema.definition import parse

FILE = """
sequence: offer
steps:
  - {key: mail, type: email, subject: "Hi {{ contact.first_name }}",
     text: "{{ custom.plan | default: 'a plan' }} in {{ custom.city }}, {{ contact.full_name }}. {{ unsubscribe_url }}"}
  - {key: page, type: email, delay: 1 day, subject: Hi, html: "<p>{{ custom.city }}</p>"}
  - {key: text, type: sms, delay: 1 day,
     body: "{% if custom.city %}In {{ custom.city }}{% endif %} {{ custom.vip | upcase }}"}
  - {key: ring, type: call, delay: 1 day, description: "Ask {{ contact.first_name }}"}
  - {key: wait, type: wait, delay: 1 day}
"""


def shown(contact: dict[str, Any], custom: dict[str, Any], file: str = FILE) -> dict[str, Preview | None]:
    definition = parse(file)
    values = preview_values(definition, contact, custom, {"name": "Acme"})
    return {step.key: preview(step, values) for step in definition.walk()}


def test_what_is_missing_is_marked_unless_it_has_a_default_or_is_asked_for() -> None:
    texts = shown({"first_name": None, "email": "a@example.com"}, {})
    assert texts["mail"] == Preview(
        "Hi [contact.first_name is missing]",
        "a plan in [custom.city is missing], [contact.full_name is missing]. (unsubscribe link)",
        ("contact.first_name", "custom.city", "contact.full_name"),
    )
    assert texts["page"] == Preview("Hi", "<p>[custom.city is missing]</p>", ("custom.city",))
    assert texts["text"] == Preview(None, "[CUSTOM.VIP IS MISSING]", ("custom.vip",))
    assert texts["wait"] is None


def test_what_is_there_is_shown_as_it_will_be() -> None:
    texts = shown({"first_name": "Ada", "last_name": "L"}, {"city": "Ulm", "plan": "Pro", "vip": "yes"})
    assert texts["mail"] == Preview("Hi Ada", "Pro in Ulm, Ada L. (unsubscribe link)", ())
    assert texts["text"] == Preview(None, "In Ulm YES", ())
    assert texts["ring"] == Preview(None, "Ask Ada", ())


def test_a_template_that_fails_with_these_data_says_so() -> None:
    with pytest.raises(RenderError, match="can't be rendered with these data"):
        shown({}, {"x": 1}, 'sequence: x\nsteps: [{key: a, type: sms, body: "{{ custom.x | divided_by: 0 }}"}]')
