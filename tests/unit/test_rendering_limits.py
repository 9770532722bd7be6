"""Templates made to keep a worker busy, or to fill its memory, end soon: their work is counted."""

import pytest

from engine.rules.rendering import Renderer, RenderError, variables

DATA = variables(
    {"first_name": "Ana"},
    {"big": "x" * 200_000, "list": [{"a": 1}] * 900, "many": list(range(100_000)), "n": 10**30, "space": " " * 100_000},
    {},
    {},
)  # fmt: skip

TEN_THOUSAND = ("{% for a in (1..1000) %}{% for b in (1..10) %}", "{% endfor %}{% endfor %}")


def loop(body: str) -> str:
    return body.join(TEN_THOUSAND)


NASTY = {
    "a loop of a million": "{% for a in (1..1000) %}{% for b in (1..1000) %}{% endfor %}{% endfor %}",
    "many loops, one after another": loop("") * 3_000,
    "many loops with output": "{% for a in (1..100) %}{% for b in (1..100) %}{{ a }}{% endfor %}{% endfor %}" * 50,
    "doubling by append": "{% assign x = 'ab' %}" + "{% assign x = x | append: x %}" * 60,
    "doubling by replace": "{% assign x = 'aaaaaaaa' %}" + "{% assign x = x | replace: 'a', x %}" * 20,
    "replace of nothing": "{{ custom.big | replace: '', custom.big }}",
    "replace in a loop": loop("{{ custom.big | replace: 'x', 'y' | size }}"),
    "doubling by capture": "{% assign x = 'ab' %}" + "{% capture x %}{{ x }}{{ x }}{% endcapture %}" * 60,
    "captures of much": loop("{% capture x %}{{ custom.big }}{% endcapture %}"),
    "output of much": "{{ custom.big }}" * 100,
    "conditions that cost nothing each": loop("{% if true %}{% endif %}" * 9_000),
    "long conditions": loop("{% if " + " and ".join(["1==1"] * 100) + " %}{% endif %}"),
    "blocks in blocks": loop("{% if true %}" * 25 + "{% if 1 == 1 %}{% endif %}" * 2_000 + "{% endif %}" * 25),
    "cases": ("{% case 1 %}{% when " + " or ".join(["1"] * 150) + " %}") * 25 + "x" + "{% endcase %}" * 25,
    "numbers that square": "{% assign x = custom.n %}" + "{% assign x = x | times: x %}" * 60,
    "a long join": "{{ custom.many | join: custom.big }}",
    "a wide join": "{{ custom.many | join: '----------------' }}",
    "split into letters": "{{ custom.big | split: '' }}",
    "searching": loop("{% if custom.big contains 'y' %}{% endif %}"),
    "sorting": "{% for a in (1..1000) %}{% assign x = custom.many | sort %}{% endfor %}",
    "maps": loop("{% assign x = custom.list | map: 'a' | join %}"),
    "lists": "{% for a in custom.list %}{% for b in (1..9) %}{{ forloop.last }}{% endfor %}{% endfor %}" * 20,
    "skipping": "{% for a in custom.many offset: 99999 %}{% endfor %}" * 5_000,
    "reversing": "{% for a in custom.many reversed limit: 1 %}{% endfor %}" * 4_000,
    "space": "{{ custom.space | squish }}" * 9_000,
    "encoding": "{{ custom.big | url_encode | url_decode }}" * 6_000,
    "arithmetic": loop("{{ a | times: 1.5 | divided_by: 1.7 | round: 2 | plus: 1 | minus: 1 }}") * 3,
}  # fmt: skip


@pytest.mark.parametrize("name", NASTY)
def test_a_template_that_does_too_much_is_stopped(name: str) -> None:
    with pytest.raises(RenderError) as caught:
        Renderer().render(NASTY[name], DATA)
    assert caught.value.reason == "template_limit"


REFUSED = {
    "unclosed output": "{{" * 100_000,
    "unclosed tags": "{%" * 100_000,
    "spaces in an output": ("{{" + " " * 990 + "}}") * 260,
    "spaces in a tag": ("{% if" + " " * 990 + "%}") * 260,
    "parentheses": ("{% if " + "(" * 980 + " %}") * 260,
    "quotes": ("{{ " + '"' * 989 + " }}") * 260,
    "unclosed raws": "{% raw %}" * 28_000,
    "unclosed docs": "{% comment %}" + "{% doc %}" * 28_000,
    "unclosed comments": "{% comment %}" * 20_000,
    "an endless path": "{{ custom" + "[custom" * 140 + " }}",
    "deep blocks": "{% if true %}" * 10_000 + "{% endif %}" * 10_000,
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_template_that_would_keep_the_parser_busy_is_refused(name: str) -> None:
    with pytest.raises(RenderError) as caught:
        Renderer().render(REFUSED[name], DATA)
    assert caught.value.reason == "template_error"


HARMLESS = {
    "a long text": "x" * 200_000,
    "a long text in blocks": "{% if true %}" * 5 + "x" * 200_000 + "{% endif %}" * 5,
    "many outputs": "{{ contact.first_name }}" * 10_000,
    "many assignments": "".join(f"{{% assign a{number} = {number} %}}" for number in range(10_000)),
    "a table of a list": "{% for a in custom.list %}<tr><td>{{ a.a | plus: forloop.index }}</td></tr>{% endfor %}",
    "many raws": "{% raw %}{{{% endraw %}" * 10_000,
    "braces": "{ } " * 50_000,
}


@pytest.mark.parametrize("name", HARMLESS)
def test_a_long_message_is_not_too_much(name: str) -> None:
    assert isinstance(Renderer().render(HARMLESS[name], DATA), str)
