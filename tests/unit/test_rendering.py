"""What a contact gets to see."""

import threading
from html import escape
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.rules.rendering import Renderer, RenderError, Variables, clean_header, clean_text, variables
from schema.definition import EmailStep, SmsStep
from schema.definition.templates.filters import NAMES

STEADY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # no test decides by timing

ANA = variables(
    {"first_name": "Ana", "last_name": "Li", "email": "ana@example.com", "phone": "+12025550123", "timezone": None},
    {"city": "Lyon", "age": 41, "vip": True, "price": 9.5, "when": "2026-03-01T09:30Z", "list": [{"n": "a"}, {"n": 2}]},
    {"name": "Cadenza", "email": "hello@example.com"},
    {"key": "demo", "name": "Demo"},
)  # fmt: skip


def render(source: str, data: Variables = ANA, *, html: bool = False) -> str:
    return Renderer().render(source, data, html=html)


def sms(body: str, data: Variables = ANA, media: tuple[str, ...] = ()) -> tuple[str, tuple[str, ...]]:
    return Renderer().render_sms(SmsStep(key="x", type="sms", body=body, media_url=media), data)


def email(
    subject: str, text: str | None = None, html: str | None = None, data: Variables = ANA
) -> tuple[str, str | None, str | None]:
    return Renderer().render_email(EmailStep(key="x", type="email", subject=subject, text=text, html=html), data)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("plain", "plain"),
        ("{{ contact.first_name }} {{ contact.full_name }} {{ contact.email }}", "Ana Ana Li ana@example.com"),
        ("{{ custom.city | upcase }} {{ custom.age | plus: 1 }} {{ custom.vip }}{{ custom.price }}", "LYON 42 true9.5"),
        ("[{{ custom.no }}{{ custom.no.no.no }}{{ contact.timezone }}{{ sender.phone }}]", "[]"),
        ("{{ custom.no | default: 'x' }} {{ contact.timezone | default: custom.city }}", "x Lyon"),
        ("{% if custom.no %}a{% else %}b{% endif %}{% if custom.vip %}c{% endif %}", "bc"),
        ("{% for i in custom.list %}{{ forloop.index }}{{ i.n }} {% endfor %}", "1a 22 "),
        ("{{ custom.list | map: 'n' | join: ', ' }} {{ custom.list.size }}", "a, 2 2"),
        ("{{ custom.when | date: '%A %d %B %Y, %H:%M' }}", "Sunday 01 March 2026, 09:30"),
        ("{{ '1772357400' | date: '%F %T' }} {{ custom.city | date: '%Y' }}[{{ custom.no | date: '%Y' }}]",
         "2026-03-01 09:30:00 Lyon[]"),
        ("{{ 'now' | date: '%Y' }}{{ now }}", "now"),
        ("{{ custom.city | replace: 'L', '<' | append: '>' }}", "<yon>"),
        ("{% raw %}{{ x }}{% endraw %}{% comment %}no{% endcomment %}", "{{ x }}"),
        ("{{ sequence.key }} {{ sequence.name }} {{ sender.name }}", "demo Demo Cadenza"),
    ],
)  # fmt: skip
def test_render(source: str, expected: str) -> None:
    assert render(source) == expected


def test_the_full_name_is_what_there_is() -> None:
    for first, last, full in [("A", "B", "A B"), ("A", None, "A"), (None, "B", "B"), (None, None, ""), ("", "", "")]:
        assert variables({"first_name": first, "last_name": last}, {}, {}, {})["contact"]["full_name"] == full


def test_html_escapes_data_and_not_the_template() -> None:
    evil = variables({"first_name": "<b>&\"'"}, {"x": ["<i>"], "y": {"<k>": "<v>"}}, {}, {})
    assert render("<p>{{ contact.first_name }}</p>", evil, html=True) == "<p>&lt;b&gt;&amp;&#34;&#39;</p>"
    assert render("<p>{{ contact.first_name }}</p>", evil) == "<p><b>&\"'</p>"
    assert render("{{ custom.no | default: '<br>' }}", evil, html=True) == "<br>"
    for source in ("{{ custom.x }}", "{{ custom.x | first }}", "{{ custom.y }}", "{% assign a = custom.x %}{{ a }}"):
        assert "<" not in render(source, evil, html=True)


ARGUMENTS = {
    "append": ": custom.v",
    "date": ": '%Y'",
    "join": ": custom.v",
    "map": ": 'n'",
    "prepend": ": custom.v",
    "remove": ": 'z'",
    "replace": ": 'a', custom.v",
    "slice": ": 0, 50",
    "split": ": ','",
    "where": ": 'n'",
}


@STEADY
@given(st.text(max_size=30), st.lists(st.sampled_from(NAMES), max_size=4))
def test_no_filter_lets_data_into_html_unescaped(value: str, filters: list[str]) -> None:
    chain = "".join(f" | {name}{ARGUMENTS.get(name, '')}" for name in filters)
    data = variables({}, {"v": f"<script>{value}"}, {}, {})
    try:
        text = render(f"{{% capture c %}}{{{{ custom.v{chain} }}}}{{% endcapture %}}{{{{ c }}}}", data, html=True)
    except RenderError as error:
        assert error.reason == "template_error"
        return
    assert "<script" not in text.lower()


@STEADY
@given(st.text(max_size=50))
def test_html_has_the_data_escaped_as_python_escapes_it(value: str) -> None:
    data = variables({}, {"v": value}, {}, {})
    expected = escape(value).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")
    assert render("<p>{{ custom.v }}</p>", data, html=True) == f"<p>{expected}</p>"


@pytest.mark.parametrize(
    "source",
    [
        "{{ custom.secret | divided_by: 0 }}",
        "{{ custom.secret | plus: 'zzz' | slice: 'x' }}",
        "{{ custom.infinite | ceil }}",
        "{{ custom.infinite | minus: custom.infinite }}",
        "{% for i in custom.list limit: custom.secret %}{% endfor %}",
        "{% if custom.list < 3 %}{% endif %}",
        "{{ custom.list | sort }}",
        "{{ custom.deep" + "[custom.deep" * 70 + "]" * 70 + " }}",
    ],
)
def test_what_can_not_be_rendered_says_so_without_the_data(source: str) -> None:
    data: dict[str, Any] = {"secret": "s3cret", "infinite": "inf", "list": ["s3cret", 1]}
    try:
        render("first line\n" + source, variables({}, data, {}, {}))
    except RenderError as error:
        assert error.reason == "template_error"
        assert "s3cret" not in str(error)
        assert error.__cause__ is None
        assert "\n" not in str(error)


def test_an_error_names_the_line_of_the_template() -> None:
    with pytest.raises(RenderError, match=r"line 3"):
        render("a\n\n{{ 1 | divided_by: 0 }}")


def test_a_template_that_does_not_parse_is_an_error_of_rendering_too() -> None:
    with pytest.raises(RenderError, match="isn't closed") as caught:
        render("{{ custom.a")
    assert caught.value.reason == "template_error"


def test_an_sms_is_stripped_and_clean() -> None:
    assert sms("  Hi {{ contact.first_name }}\n\n") == ("Hi Ana", ())
    data = variables({"first_name": "A\x00\x07n\u0085a\r\nB\rC\tD"}, {}, {}, {})
    assert sms("{{ contact.first_name }}", data) == ("Ana\nB\nC\tD", ())


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("{{ custom.no }} ", "sms_empty"),
        ("{% if custom.no %}a{% endif %}", "sms_empty"),
        ("{{ custom.long }}", "sms_too_long"),
        ("{{ custom.long | slice: 0, 1600 }}b", "sms_too_long"),
    ],
)
def test_an_sms_that_can_not_be_sent(body: str, reason: str) -> None:
    data = variables({}, {"long": "x" * 2_000}, {}, {})
    with pytest.raises(RenderError) as caught:
        sms(body, data)
    assert caught.value.reason == reason
    assert sms("{{ custom.long | slice: 0, 1600 }}", data) == ("x" * 1600, ())


def test_media_urls_are_templates_and_must_come_out_as_urls() -> None:
    media = ("https://example.com/{{ custom.city | url_encode }}.png", "http://example.com/b.png")
    assert sms("hi", media=media) == ("hi", ("https://example.com/Lyon.png", "http://example.com/b.png"))
    evil = variables({}, {"city": "a b\r\nX: y"}, {}, {})
    assert sms("hi", evil, media)[1][0] == "https://example.com/a+b%0D%0AX%3A+y.png"
    with pytest.raises(RenderError) as caught:
        sms("hi", evil, ("https://example.com/{{ custom.city }}",))
    assert caught.value.reason == "media_url"


def test_an_email_has_the_parts_that_are_not_empty() -> None:
    assert email("Hi {{ contact.first_name }}", "t\n", "<p>h</p>") == ("Hi Ana", "t\n", "<p>h</p>")
    assert email("Hi", "{{ custom.no }}", "<p>h</p>") == ("Hi", None, "<p>h</p>")
    assert email("Hi", "t", "{{ custom.no }}") == ("Hi", "t", None)
    assert email("Hi", "a & {{ custom.city }}") == ("Hi", "a & Lyon", None)


@pytest.mark.parametrize(
    ("subject", "text", "reason"),
    [
        ("{{ custom.no }}", "t", "subject_empty"),
        ("\n", "t", "subject_empty"),
        ("{{ custom.long }}", "t", "subject_too_long"),
        ("s", "{{ custom.no }} \n", "email_empty"),
    ],
)
def test_an_email_that_can_not_be_sent(subject: str, text: str, reason: str) -> None:
    with pytest.raises(RenderError) as caught:
        email(subject, text, data=variables({}, {"long": "x" * 999}, {}, {}))
    assert caught.value.reason == reason


@STEADY
@given(st.text())
def test_a_subject_is_one_line_whatever_the_data(value: str) -> None:
    subject = email("a{{ custom.v }}b", "t", data=variables({}, {"v": value}, {}, {}))[0]
    assert len(subject.splitlines()) == 1
    assert not any(character in subject for character in "\r\n\0\x0b\x0c\x1b\x7f\x85\u2028\u2029")
    assert clean_header(subject) == subject


@STEADY
@given(st.text())
def test_clean_text_has_no_control_characters_and_is_clean_for_good(value: str) -> None:
    text = clean_text(value)
    assert not any((ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160 for c in text)
    assert clean_text(text) == text
    if value.isprintable():
        assert text == value


def test_many_threads_share_a_renderer() -> None:
    renderer = Renderer(templates=8)
    wrong: list[str] = []

    def work(number: int) -> None:
        for turn in range(200):
            source = f"{turn % 20} {{{{ custom.n }}}} {{% for i in (1..3) %}}{{{{ i }}}}{{% endfor %}}"
            text = renderer.render(source, variables({}, {"n": number}, {}, {}))
            if text != f"{turn % 20} {number} 123":
                wrong.append(text)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
