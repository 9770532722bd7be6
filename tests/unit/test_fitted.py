"""Lines are wrapped to a width, and lose nothing."""

from hypothesis import given
from hypothesis import strategies as st

from deploy.cli.output import COLUMNS, fitted

WORDS = st.lists(st.text("abcXYZ0189:;,.-", min_size=1, max_size=30), min_size=1, max_size=40)


@given(st.lists(st.tuples(st.sampled_from(["", "  ", "   "]), WORDS), max_size=5))
def test_every_word_stays_in_its_order_and_no_line_is_too_wide(lines: list[tuple[str, list[str]]]) -> None:
    given_lines = [indent + " ".join(words) for indent, words in lines]
    text = fitted(given_lines)
    assert text.split() == " ".join(given_lines).split()
    assert all(len(line) <= COLUMNS for line in text.splitlines())


def test_what_goes_on_is_indented_deeper() -> None:
    first, second = fitted(["  " + "word " * 25]).splitlines()
    assert first.startswith("  word")
    assert second.startswith("      word")


def test_a_word_that_is_too_long_stays_whole() -> None:
    assert "x" * 150 in fitted(["a " + "x" * 150]).splitlines()[1]
