"""What YAML can do to a reader: bombs, depth, aliases, tabs, control characters, types that nobody meant."""

import pytest

from schema.definition import InvalidDefinition, parse
from schema.definition.document import Unquoted, read_document


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [\n", "line 2: not valid YAML"),
        ("a: b: c\n", "line 1: not valid YAML: mapping values are not allowed here"),
        ("a:\n\tb: 1\n", "line 2: not valid YAML: a tab can't indent YAML: use spaces"),
        ("a: 1\n---\nb: 2\n", "line 2: not valid YAML: a second document starts here"),
        ("a: &x 1\nb: *x\n", "line 2: anchors and aliases (& and *) are not supported"),
        ("a: *x\n", "line 1: anchors and aliases"),
        ("a: b\n\x07\n", "line 2: the character U+0007 is not allowed here"),
        ("{a: b,\t'c': d}\n", "line 1: not valid YAML: a tab"),
        ("[" * 100_000, "line 1: this is nested too deep"),
        ("- " * 5_000, "line 1: this is nested too deep"),
        ("a: b\n" * 200_000, "line 10000: this is nested too deep, or too much"),
        ("#" * (1 << 20) + "\n", "the file is larger than 1 MiB"),
        ("é" * (1 << 19) + "\n", "the file is larger than 1 MiB"),
    ],
)
def test_what_can_not_be_read(text: str, expected: str) -> None:
    with pytest.raises(InvalidDefinition) as caught:
        parse(text)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a: "\\0"\n', "line 1: the control character U+0000 is not allowed in text"),
        ('a: "\\x9f"\n', "line 1: the control character U+009F is not allowed in text"),
        ('a: "\\uD83D"\n', "line 1: half a surrogate pair"),
        ("? [a]\n: b\n", "line 1: a key must be a word"),
        ("a: !!python/object:os.system x\n", "line 1: YAML tags such as"),
        ("a: !x\n  b: c\n", None),
        ("a: 1\nb: 2\na: 3\n", "line 3: 'a' is given twice; the first is on line 1"),
    ],
)
def test_what_can_be_read_but_not_used(text: str, expected: str | None) -> None:
    found = [f"line {problem.line}: {problem}" for problem in read_document(text).problems()]
    assert [line.startswith(expected) for line in found if expected] == ([True] if expected else [])


def test_texts_stay_what_they_are_and_other_types_are_marked() -> None:
    text = "a: 09:00\nb: 10:30\nc: '123'\nd: 1e3\ne: yes\nf: ~\ng: 1.5\nh: =\ni: 2026-01-01\n<<: x\n"
    text += 'j: "\\uD83D\\uDE00"\n'
    assert read_document(text).data == {
        "a": "09:00",
        "b": Unquoted("10:30", "a number"),
        "c": "123",
        "d": "1e3",
        "e": True,
        "g": Unquoted("1.5", "a number"),
        "h": "=",
        "i": Unquoted("2026-01-01", "a date"),
        "j": "😀",
        "<<": "x",
    }
