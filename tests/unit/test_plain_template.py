"""Templates that only name values: filled in as the interpreter would, or left to it."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.definition.templates import PlainTemplate, parse_template

PLAIN = (
    "",
    "no names at all",
    "Hi {{ contact.first_name }}",
    "{{contact.first_name}}{{ custom.plan }}",
    "Hi {{- contact.first_name -}} , bye",
    "Hi {{ contact.first_name | default: 'there' }}, in {{ custom.city | default: \"town\" }}?",
    "{{ custom['plan'] }} {% comment %}{% endcomment %}",
)

TOO_MUCH = (
    "{{ contact.first_name | upcase }}",
    "{{ contact.first_name | default: custom.plan }}",
    "{{ contact.first_name | default: 'a', allow_false: true }}",
    "{{ contact }}",
    "{{ custom.a.b }}",
    "{{ custom[contact.first_name] }}",
    "{% if custom.plan %}x{% endif %}",
    "{% assign x = 'y' %}{{ x }}",
)

texts = st.sampled_from([" ", "{{ x }}", "<a & 'b' \"c\">"])
values = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=12), texts)
variables = st.fixed_dictionaries(
    {
        "contact": st.dictionaries(st.sampled_from(["first_name", "last_name"]), values),
        "custom": st.dictionaries(st.sampled_from(["plan", "city", "size"]), values),
    }
)


@pytest.mark.parametrize("source", PLAIN[:-1])
def test_most_templates_are_plain(source: str) -> None:
    assert PlainTemplate.of(parse_template(source)) is not None


@pytest.mark.parametrize("source", TOO_MUCH)
def test_what_does_more_is_left_to_the_interpreter(source: str) -> None:
    assert PlainTemplate.of(parse_template(source)) is None


def test_values_are_escaped_in_html() -> None:
    plain = PlainTemplate.of(parse_template("<b>Hi</b> {{ contact.first_name }}", html=True))
    assert plain is not None
    assert plain.fill({"contact": {"first_name": "<i>\"Ana\" & 'Ben'</i>"}}) == (
        "<b>Hi</b> &lt;i&gt;&#34;Ana&#34; &amp; &#39;Ben&#39;&lt;/i&gt;"
    )


@pytest.mark.parametrize("value", [None, "", False, 0, 7, ["a"], {"a": "b"}])
def test_what_is_no_text_is_left_to_the_interpreter(value: object) -> None:
    plain = PlainTemplate.of(parse_template("Hi {{ contact.first_name | default: 'there' }}"))
    assert plain is not None
    assert plain.fill({"contact": {"first_name": value}}) is None
    assert plain.fill({"contact": {}}) is None
    assert plain.fill({}) is None


@given(source=st.sampled_from(PLAIN), given_values=variables, html=st.booleans())
def test_it_writes_what_the_interpreter_writes(
    source: str, given_values: Mapping[str, Mapping[str, Any]], html: bool
) -> None:
    template = parse_template(source, html=html)
    plain = PlainTemplate.of(template)
    filled = plain.fill(given_values) if plain else None
    assert filled is None or filled == template.render(given_values)
