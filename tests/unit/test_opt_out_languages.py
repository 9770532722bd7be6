"""Opting out in other languages than English: a message that is only such a word is a STOP, and no other message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.rules.opt_out import OptOut, classify
from engine.rules.opt_out_languages import POLITE, UNSPACED, WORDS

EVERY_WORD = sorted({word for words in WORDS.values() for word in words})


@pytest.mark.parametrize("word", EVERY_WORD)
def test_each_word_alone_is_a_stop(word: str) -> None:
    for written in (word, word.upper(), word.title(), f"  {word}!! ", f"¡{word}!", f"{word}."):
        assert classify(written) is OptOut.STOP


@given(word=st.sampled_from(EVERY_WORD), polite=st.lists(st.sampled_from(POLITE), max_size=2), after=st.booleans())
def test_please_and_thank_you_change_nothing(word: str, polite: list[str], after: bool) -> None:
    parts = [word, *polite] if after else [*polite, word]
    assert classify(", ".join(parts)) is OptOut.STOP


@pytest.mark.parametrize(
    "body",
    [
        "ARRET",
        "UNSUBSCRIBE ALL",
        "unsubscribe all please",
        "СТОП",
        "BAJA",
        "SAIR",
        "הסר",
        "退订",
        "AFMELDEN",
        "Arrêt s'il vous plaît",
        "BAJA por favor, gracias",
        "Stop svp",
    ],
)
def test_what_people_send(body: str) -> None:
    assert classify(body) is OptOut.STOP


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("la calle baja de la plaza", OptOut.NONE),
        ("puedo parar en tu oficina mañana", OptOut.NONE),
        ("quiero sair contigo", OptOut.NONE),
        ("je m'arrêterai demain", OptOut.NONE),
        ("merci", OptOut.NONE),
        ("alto", OptOut.DOUBTFUL),
        ("basta", OptOut.DOUBTFUL),
    ],
)
def test_what_only_holds_such_a_word_is_none(body: str, says: OptOut) -> None:
    assert classify(body) is says


@given(
    word=st.sampled_from([word for language in ("zh", "ja", "ko", "th") for word in WORDS[language]]),
    before=st.lists(st.sampled_from(UNSPACED), max_size=2).map("".join),
    after=st.lists(st.sampled_from(UNSPACED), max_size=2).map("".join),
)
def test_languages_without_spaces_are_polite_too(word: str, before: str, after: str) -> None:
    assert classify(before + word + after) is OptOut.STOP


@pytest.mark.parametrize("body", ["请问退订后还能用吗", "谢谢", "请", "ありがとう", "请不要退订我"])
def test_what_is_more_than_such_a_word_is_no_stop(body: str) -> None:
    assert classify(body) is not OptOut.STOP
