"""What is surely a mistake in a sequence file is found, and ordinary texts are left alone."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.definition import lint
from schema.definition.link_shorteners import SHORTENERS
from schema.definition.sms_encoding import LOOK_ALIKES, is_gsm, segments, without_spoilers

EXAMPLES = Path(__file__).parents[2] / "deploy" / "examples"

STOP = "Reply STOP to opt out"


def found(body: str, kind: str = "sms") -> list[str]:
    """The messages about one text."""
    name = "body" if kind == "sms" else "text"
    more = "" if kind == "sms" else "\n    subject: Hi"
    text = "\n      ".join([*body.split("\n"), STOP])
    file = f"sequence: a\nsteps:\n  - key: b\n    type: {kind}{more}\n    {name}: |-\n      {text}\n"
    return [problem.message for problem in lint(file)]


@pytest.mark.parametrize("kind", ["sms", "email"])
@pytest.mark.parametrize(
    "tag",
    [
        "*|FNAME|*", "*|MERGE1|*", "%%First Name%%", "%FIRSTNAME%", "[First Name]", "[first_name]", "[Your Name]",
        "[Company Name]", "[[first_name]]", "<<First Name>>", "«First_Name»", "{first_name}", "{First Name}", "{email}",
        "{contact.first_name}", "${name}", "#{name}", "{!Contact.FirstName}", "<%= name %>", "<% name %>",
        "%recipient.name%", "%first_name%", "#FIRSTNAME#", "##first_name##", "~Contact.FirstName~", "-first_name-",
        "|FNAME|", "$FNAME$", "{$name}", "[Name]", "{name}", "{contact.name}", "[insert name]", "[Your Link]",
        "[firstname,fallback=there]", "*|IF:FNAME|*",
    ],
)  # fmt: skip
def test_a_merge_tag_of_another_system_is_found(kind: str, tag: str) -> None:
    (message,) = found(f"Hi {tag}, welcome", kind)
    assert "is a merge tag of another system" in message
    assert repr(tag) in message


@pytest.mark.parametrize(
    "text",
    [
        "50% off, 100% of it", "Save 10% and %5", "see [1] and [docs]", "an array[0] = {a: 1}", "if (x < 3 << 2)", "$5",
        "C# and {curly} braces", "50%-70%", "Hi {{ contact.first_name }}", "{% if contact.first_name %}Hi{% endif %}",
        "* one | two *", "**bold** |x|", "[ ] todo", "a%%b", "5 << 6 >> 7", "price: {12}", "we say hi [smiling]",
        "{{ contact.first_name | default: 'there' }}", "name <a@example.com>", "go to https://example.com/bit.ly",
        "mybit.ly.example.com/x", "note.is.gd.example/x", "e-mail [at] example.com",
        "[first, second]", "[1, 2, 3]", "pick [your own] one", "[name](https://example.com)", "{a, b}", "#first #last",
        "-first- of many", "first_name", "$5-$10", "from $9 | to $12", "| one | two |", "~5 ~6",
        "form-first_name-field", "https://example.com/?a=%20first%20b", "5% first, 6% last", "[add to calendar]",
        "@firstname",
    ],
)  # fmt: skip
def test_ordinary_texts_are_left_alone(text: str) -> None:
    assert found(text) == []
    assert found(text, "email") == []


@given(st.text(st.sampled_from("abc ABC123.,!?()[]%$&+-=/'\"\n"), max_size=80))
def test_no_text_of_ordinary_characters_warns(text: str) -> None:
    if not text.strip() or any(mark in text for mark in ("[a]", "[A]")):
        return
    tagged = [message for message in found(text.replace("\n", " ").strip() or "x") if "merge tag" in message]
    assert tagged == [] or any(piece in text for piece in ("%%", "[[", "%A", "%B", "%C"))


@pytest.mark.parametrize("domain", SHORTENERS)
def test_a_public_shortener_is_found(domain: str) -> None:
    for link in (f"{domain}/abc", f"https://{domain}/abc", f"http://www.{domain}/abc"):
        (message,) = found(f"see {link} now")
        assert message.startswith(f"'body': {domain} is a public link shortener")


def test_a_character_that_costs_a_segment_is_named_with_its_place() -> None:
    body = "It" + "\u2019" + "s " + "x" * 100
    problems = lint(f"sequence: a\nsteps:\n  - key: b\n    type: sms\n    body: |\n      {STOP}\n      {body}\n")
    assert [(problem.line, problem.step) for problem in problems] == [(7, "b")]
    assert "(U+2019, column 3)" in problems[0].message
    assert '(2 segments instead of 1, without what variables add): write "\'"' in problems[0].message


@pytest.mark.parametrize("text", ["Привет \u2014 как дела", "Hi 👋 \u2013 you", "ñandú \u2013 déjà vu ê"])
def test_a_text_that_needs_more_than_the_alphabet_is_left_alone(text: str) -> None:
    assert found(text) == []


def test_the_first_sms_says_how_to_opt_out() -> None:
    file = "sequence: a\nsteps:\n  - {key: b, type: sms, body: Hi}\n  - {key: c, type: sms, delay: 1 day, body: Hi}\n"
    (problem,) = lint(file)
    assert (problem.line, problem.step) == (3, "b")
    assert "does not say how to opt out" in problem.message
    for word in ("Reply stop to end", "Opt-out: bit", "Pour arrêter, écrivez ARRET", "Ответьте СТОП", "回复退订"):
        assert lint(file.replace("body: Hi}\n  - {key: c", f"body: '{word}'}}\n  - {{key: c")) == []


def test_steps_within_steps_are_looked_at() -> None:
    file = """
sequence: a
steps:
  - key: split
    type: variants
    variants:
      x: {weight: 1, steps: [{key: one, type: email, subject: "*|A|*", text: Hi}]}
      y: {weight: 1}
  - key: asked
    type: condition
    if: {tag: vip}
    then: [{key: two, type: email, subject: "*|B|*", text: Hi}]
"""
    assert [problem.step for problem in lint(file)] == ["one", "two"]


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.yaml")), ids=lambda file: file.stem)
def test_the_examples_are_clean(file: Path) -> None:
    assert lint(file.read_text()) == []


@given(st.text(st.sampled_from([*"aZ09 @£€^{}\n", "ä", "ß", *LOOK_ALIKES]), max_size=400))
def test_look_alikes_are_all_that_is_replaced(text: str) -> None:
    clean = without_spoilers(text)
    assert is_gsm(clean)
    assert segments(clean) <= segments(text) or "…" in text
    assert without_spoilers(clean) == clean


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 1), ("a" * 160, 1), ("a" * 161, 2), ("a" * 306, 2), ("€" * 80, 1), ("€" * 81, 2), ("я" * 70, 1),
     ("я" * 71, 2), ("👋" * 35, 1), ("👋" * 36, 2)],
)  # fmt: skip
def test_segments_are_counted_as_carriers_do(text: str, count: int) -> None:
    assert segments(text) == count


ORDINARY = st.lists(
    st.sampled_from(
        [
            *("Hi", "the first", "and", "last", "name", "email", "company", "you're", "at 5pm,", "50%", "10%-20%"),
            *(
                "$5",
                "$9.99",
                "(see below)",
                "[1]",
                "[a, b]",
                "#1",
                "#sale",
                "a|b",
                "~3",
                "<3",
                "& more",
                "x < y > z",
                "C++",
            ),
            *("https://example.com/a?b=%20c", "{{ contact.first_name }}", "*now*", "-", "e-mail", "it's {ok}", "1_000"),
        ]
    ),
    min_size=1,
    max_size=25,
)


@given(ORDINARY)
def test_no_ordinary_sentence_warns(words: list[str]) -> None:
    text = "A " + " ".join(words)
    assert found(text) == []
    assert found(text, "email") == []


def test_a_tag_is_told_once() -> None:
    for tag in ("%%first_name%%", "[[first_name]]", "{$name}", "##first_name##", "*|FNAME|*"):
        assert len(found(f"Hi {tag}")) == 1


def test_a_character_in_the_markup_is_not_taken_for_one_of_the_text() -> None:
    body = "{{ contact.first_name | default: '\u2019' }} it\u2019s"
    (message,) = found(body)
    assert f"column {body.rindex(chr(0x2019)) + 1})" in message
    assert found("{{ contact.first_name | default: '\u2019' }} it is") == []


def test_each_sms_that_is_somebodys_first_says_how_to_opt_out() -> None:
    file = """
sequence: a
steps:
  - key: split
    type: variants
    variants:
      x: {steps: [{key: one, type: sms, body: "Hi, reply STOP to end"}, {key: two, type: sms, delay: 1 day, body: Hi}]}
      y: {steps: [{key: three, type: sms, body: Hi}]}
  - {key: four, type: sms, delay: 1 day, body: Bye}
"""
    assert [problem.step for problem in lint(file)] == ["three"]
    without = file.replace("y: {steps: [{key: three, type: sms, body: Hi}]}", "y: {}")
    assert [problem.step for problem in lint(without)] == ["four"]
    branch = """
sequence: a
steps:
  - {key: asked, type: condition, if: {tag: vip}, then: [{key: one, type: sms, body: "Hi. STOP to end"}]}
  - {key: two, type: sms, delay: 1 day, body: Hi}
"""
    assert [problem.step for problem in lint(branch)] == ["two"]
