"""Templates that can't be used are refused before anything is sent: with the line, and what would be right."""

import pytest

from schema.definition.templates import check_template
from schema.definition.templates.scan import MAX_SOURCE

RIGHT = [
    "Hi {{ contact.first_name | default: 'there' }} of {{ custom.city }}, {{ sender.name }} {{ sequence.key }}",
    "{{ custom['Favourite dish'] }} {{ custom.a.b.c }} {{ custom[contact.email] }} {{ contact['email'] }}",
    "{{ contact.first_name.size }} {{ custom.items.first }}",
    "{% if custom.a == 'x' and custom.b contains 'y' or custom.c != blank %}a{% elsif true %}b{% else %}c{% endif %}",
    "{% unless custom.a %}a{% else %}b{% endunless %}",
    "{% case custom.a %}{% when 1, 2 or 'x' %}a{% else %}b{% endcase %}",
    "{% for a in custom.list limit: 3 offset: 1 reversed %}{{ forloop.index }}{% break %}{% else %}-{% endfor %}",
    "{% for a in (1..3) %}{% cycle 'x', 'y' %}{% continue %}{% endfor %}",
    "{% assign a = custom.a | upcase %}{{ a }}{% capture b %}{{ a }}{% endcapture %}{{ b }}",
    "{%- comment -%} {% foo %} {{ zz }} {%- endcomment -%}{% # a note %}{% raw %}{{ x }} {% if %}{% endraw %}",
    "{% echo custom.a %} }} %} { { {",
    "{{ custom.a | default: 'x', allow_false: true | truncate: 10, '' | replace: 'a', 'b' | join: ', ' | escape }}",
    "",
]

WRONG = [
    ("a\n{{ contact.first_name | default 'there' }}", 2, 'expected end of expression, found string in "{{ contact.'),
    ("{{ contact.first_name", 1, "{{ isn't closed: write }}"),
    ("a\n{{ contact.first_name } b {{ custom.a }}", 2, "{{ isn't closed: write }}"),
    ("{% if custom.a", 1, "{% isn't closed: write %}"),
    ("a\n\n{% if custom.a %}b\n", 3, "{% if %} isn't closed: write {% endif %}"),
    ("{% for a in custom.b %}\n{% endif %}", 2, "{% endif %} closes nothing: {% for %} is open here"),
    ("{% endif %}", 1, "{% endif %} closes nothing: nothing is open here"),
    ("{% else %}", 1, "{% else %} stands in no block"),
    ("{% if custom.a %}{% when 1 %}{% endif %}", 1, "{% when %} stands in no block"),
    ("{% break %}", 1, "{% break %} stands outside of a for loop"),
    ("{% raw %}{{ a }}", 1, "{% raw %} isn't closed"),
    ("{% raw x %}{% endraw %}", 1, "unknown tag 'raw'"),
    ("{% comment %}", 1, "{% comment %} isn't closed"),
    ("{{ }}", 1, "{{ }} is empty: name a variable"),
    ("{% %}", 1, "is empty"),
    ("{{ custom.a | }}", 1, "expected word, found end of expression in '{{ custom.a | }}'"),
    ("{% if custom.a %}\n{% for b in %}{% endfor %}{% endif %}", 2, "in '{% for b in %}'"),
    ("{% if custom.a = 1 %}{% endif %}", 1, "found '=' in '{% if custom.a = 1 %}'"),
    ("{% include 'a' %}", 1, "unknown tag 'include': the tags are if, unless,"),
    ("{% render 'a' %}", 1, "unknown tag 'render'"),
    ("{% unles custom.a %}", 1, "unknown tag 'unles' (did you mean 'unless'?)"),
    ("{% doc %}x{% enddoc %}", 1, "unknown tag 'doc'"),
    ("{{ custom.a if b else c }}", 1, "disallowed ternary expression"),
    ("{{ 'a }}", 1, 'unexpected "\'"'),
    ("{% for a in (1..1001) %}{% endfor %}", 1, "a range is between two whole numbers, at most 1,000 apart"),
    ("{{ (1..custom.a) | reverse }}", 1, "a range is between two whole numbers"),
    ("{{ custom.a" + " | upcase" * 200 + " }}", 1, "longer than 1,000 characters"),
    ("x" * (MAX_SOURCE + 1), 1, "the template is longer than 262,144 characters"),
    ("{{ custom.a }}\n{{ first_name }}", 2, "unknown variable 'first_name' (did you mean 'contact.first_name'?)"),
    ("{{ contct.first_name }}", 1, "(did you mean 'contact.first_name'?): write contact.*, sender.*, sequence.*, or"),
    ("{{ contact.firstname }}", 1, "(did you mean 'contact.first_name'?): contact has first_name, last_name,"),
    ("{{ sender.phon }}", 1, "(did you mean 'sender.phone'?): sender has name, email, phone"),
    ("{{ city }}", 1, "unknown variable 'city': write contact.*, sender.*, sequence.*, or custom.* for your own"),
    ("{{ now }}", 1, "unknown variable 'now'"),
    ("{{ contact }}", 1, "'contact' is not a text: name a part of it, such as contact.first_name"),
    ("{{ custom }}", 1, "'custom' is not a text: name an attribute, such as custom.city"),
    ("{{ contact.email.domain }}", 1, "unknown variable 'contact.email.domain'"),
    ("{{ contact[custom.a] }}", 1, "unknown variable 'contact[custom.a]'"),
    ("{% if frist %}{% endif %}", 1, "unknown variable 'frist'"),
    ("{{ forloop.index }}", 1, "unknown variable 'forloop.index'"),
    ("{{ custom.a | upcas }}", 1, "unknown filter 'upcas' (did you mean 'upcase'?): the filters are abs, append,"),
    ("{{ custom.a | safe }}", 1, "unknown filter 'safe'"),
    ("{% assign a = custom.a\n | foo %}", 2, "unknown filter 'foo'"),
    ("{{ custom.a | append }}", 1, "the filter 'append' can't be used so: missing a required argument"),
    ("{{ custom.a | truncate: 1, '', 3 }}", 1, "the filter 'truncate' can't be used so: too many"),
    ("{{ custom.a | default: b: 1 }}", 1, "the filter 'default' can't be used so: got an unexpected"),
]


@pytest.mark.parametrize("source", RIGHT)
def test_a_template_that_is_right(source: str) -> None:
    assert check_template(source).problems == ()
    assert check_template(source, html=True).problems == ()


@pytest.mark.parametrize(("source", "line", "expected"), WRONG)
def test_a_template_that_is_wrong(source: str, line: int, expected: str) -> None:
    (problem,) = check_template(source).problems
    assert expected in problem.message
    assert problem.line == line
    assert "\n" not in problem.message


def test_all_unknown_names_are_told() -> None:
    problems = check_template(
        "{{ a }} {{ a }}\n{{ a }} {{ custom.x | foo | bar }}{% if b %}{{ c }}{% endif %}"
    ).problems
    assert [problem.line for problem in problems] == [1, 2, 2, 2, 2, 2]


def test_what_is_deeply_nested_is_refused_or_read_but_never_crashes() -> None:
    check_template("{{ custom" + "[custom" * 120 + "]" * 120 + " }}")
    (problem,) = check_template("{% if custom.a %}" * 40 + "{% endif %}" * 40).problems
    assert "block nesting limit" in problem.message


def test_the_least_text_is_what_stands_outside_of_markup() -> None:
    assert (
        check_template("ab{{ custom.x }}c{% if custom.y %}d{% endif %}e{% raw %}{{f}}{% endraw %}").least == "abce{{f}}"
    )
