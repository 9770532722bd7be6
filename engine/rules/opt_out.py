"""What an inbound text message says about consent: stop, start, help, perhaps stop, or nothing."""

import re
from collections.abc import Collection
from enum import StrEnum
from typing import Final

from engine.rules.opt_out_languages import POLITE_ABROAD, STOP_ABROAD, UNSPACED_ABROAD, plain
from engine.rules.opt_out_words import (
    BARE,
    CLEAR,
    EXCUSED,
    FILLERS,
    GOES_ON,
    HELP_WORDS,
    HINTS,
    NEUTRAL,
    REACTION,
    START_WORDS,
    STOP_WORDS,
    TAKEN_BACK,
    YES_WORDS,
)


class OptOut(StrEnum):
    """What an inbound message says about consent."""

    STOP = "stop"
    """Clearly: send no more."""
    START = "start"
    """Clearly: send again."""
    HELP = "help"
    """Who is this, and how do I end it?"""
    DOUBTFUL = "doubtful"
    """Perhaps: send no more. A person has to look."""
    NONE = "none"
    """Nothing: a reply."""


#: Longer than any message that Twilio takes apart into segments.
LONGEST: Final = 2_000

#: The longest word that a workspace may add.
LONGEST_WORD: Final = 40

#: The short messages in which `stop` alone is a hint already.
FEW_WORDS: Final = 4

_APOSTROPHES: Final = re.compile(r"['`\u00b4\u2018\u2019\u02bc\uff07\u2032]")
_CLAUSE_ENDS: Final = re.compile(r"[.,!?;:\n\r\u2026\u2013\u2014\u3001\u3002]+|\s-+\s")
_NOT_WORDS: Final = re.compile(r"[\W_]+")
_DRAWN_OUT: Final = re.compile(r"([a-z])\1{2,}")
_ZERO_IN_WORD: Final = re.compile(r"(?<=[a-z])0(?=[a-z])")

#: Cyrillic and Greek letters, and Latin ones without a decomposition, that look like other Latin letters.
_LOOK_ALIKES: Final = str.maketrans(
    "\u0455\u0442\u043e\u043f\u0440\u0441\u0435\u0430\u0443\u0456\u03bf\u03c1\u03b1\u03c4\u03c5\u03bd\u03b9\u03ba\u0131\u0142",
    "stonpceayiopatuvikil",
)

_POLITE: Final = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, POLITE_ABROAD))})(?!\w)")

_UNSPACED: Final = "|".join(map(re.escape, UNSPACED_ABROAD))
_UNSPACED_AT_ENDS: Final = re.compile(rf"^(?:(?:{_UNSPACED})\s*)+|(?:\s*(?:{_UNSPACED}))+$")

_FILLERS: Final = re.compile(rf"\b(?:{FILLERS})\b")
_TAKEN_BACK: Final = re.compile(TAKEN_BACK)
_NEUTRAL: Final = re.compile(NEUTRAL)
_EXCUSED: Final = re.compile(rf"\b(?:{EXCUSED})\b")
_HINTS: Final = re.compile(HINTS)
_CLEAR: Final = re.compile(CLEAR)
_CLEAR_OR_BARE: Final = re.compile(f"(?:{CLEAR})|(?:{BARE})")
_CLEAR_AT_START: Final = re.compile(f"(?:{CLEAR}) {GOES_ON}")
_CLEAR_AT_END: Final = re.compile(rf"(?:.* )?(?:please|pls|plz) (?:{CLEAR})")


def classify(
    body: str, opt_out_type: str | None = None, *, stopped: bool = False, words: Collection[str] = ()
) -> OptOut:
    """Tell what a message says about consent.

    `opt_out_type` is Twilio's OptOutType, which Advanced Opt-Out adds: it knows the words and languages that were
    set up there, so it has the last word. `stopped`: the sender has opted out before; only then does YES, which
    Twilio counts as START, mean that. `words` opt out too: those of the workspace.
    """
    if opt_out_type is not None and opt_out_type.strip().lower() in ("stop", "start", "help"):
        return OptOut(opt_out_type.strip().lower())
    body = body[:LONGEST]
    if REACTION.fullmatch(body):
        return OptOut.NONE
    if _is_a_word(body, {_key(word) for word in words}):
        return OptOut.STOP
    text = _plain(body)
    word = _drawn_in(_words(text).replace(" ", ""))
    if word in STOP_WORDS or word in {keyword * 2 for keyword in STOP_WORDS}:
        return OptOut.STOP
    if word in START_WORDS or (stopped and word in YES_WORDS):
        return OptOut.START
    if word in HELP_WORDS:
        return OptOut.HELP
    clauses = [words for clause in _CLAUSE_ENDS.split(text) if (words := _words(clause))]
    return OptOut.STOP if _is_clear(clauses) else _perhaps(" ".join(clauses))


def check_opt_out_word(word: str) -> None:
    """Accept a word that a workspace wants to count as an opt-out.

    Raises:
        ValueError: no message can be only this word, or it means something else already.
    """
    if not 2 <= len(word) <= LONGEST_WORD or not any(character.isalpha() for character in _key(word)):
        raise ValueError(f"expected 2 to {LONGEST_WORD} characters, with a letter")
    if classify(word) in (OptOut.START, OptOut.HELP):
        raise ValueError("carriers give it another meaning")
    if not _POLITE.sub("", _letters(word)).strip():
        raise ValueError("people write it to be polite: it is only polite words")
    if classify(word, words=(word,)) is not OptOut.STOP:
        raise ValueError("carriers give it another meaning: a phone writes such a message as a reaction")


def _is_a_word(body: str, own: Collection[str]) -> bool:
    """Return whether a message is only a word that opts out: of another language than English, or of the workspace."""
    words = _letters(body)
    polite = _words(_POLITE.sub(" ", words))
    candidates = (candidate.replace(" ", "") for candidate in (words, polite, _UNSPACED_AT_ENDS.sub("", polite)))
    return any(candidate in STOP_ABROAD or candidate in own for candidate in candidates)


def _letters(text: str) -> str:
    """Return the words of a text without accents, in lower case, with single spaces; an apostrophe ends a word."""
    return _words(plain(_APOSTROPHES.sub(" ", text)))


def _key(word: str) -> str:
    """Return a word as messages are compared with it: hyphens, apostrophes and spaces make no difference."""
    return _letters(word).replace(" ", "")


def _is_clear(clauses: list[str]) -> bool:
    """A request that leaves no doubt: alone, beside what says nothing against it, or with what it is about."""
    if any(_TAKEN_BACK.fullmatch(clause) for clause in clauses):
        return False
    essential = [words for clause in clauses if (words := _words(_FILLERS.sub(" ", _drawn_in(clause))))]
    if any(_CLEAR.fullmatch(clause) or _CLEAR_AT_START.match(clause) for clause in essential):
        return True
    if any(_CLEAR_AT_END.fullmatch(clause) for clause in clauses):
        return True
    asking = [bool(_CLEAR_OR_BARE.fullmatch(clause)) for clause in essential]
    return any(asking) and all(
        asks or _NEUTRAL.fullmatch(clause) for asks, clause in zip(asking, essential, strict=True)
    )


def _perhaps(text: str) -> OptOut:
    """Whether a person has to look, where the words of opting out stand for nothing else."""
    rest = _words(_EXCUSED.sub(" ", text))
    few = rest == text and len(text.split()) <= FEW_WORDS and "stop" in text.split()
    return OptOut.DOUBTFUL if few or _HINTS.search(rest) else OptOut.NONE


def _plain(body: str) -> str:
    """Lower case, without accents, apostrophes and what can't be seen; look-alikes are what they look like."""
    return _ZERO_IN_WORD.sub("o", plain(_APOSTROPHES.sub("", body)).translate(_LOOK_ALIKES))


def _words(text: str) -> str:
    """The words alone, with single spaces between."""
    return _NOT_WORDS.sub(" ", text).strip()


def _drawn_in(text: str) -> str:
    """`stoooop` as `stop`."""
    return _DRAWN_OUT.sub(r"\1", text)
