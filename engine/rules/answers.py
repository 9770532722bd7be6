"""How an attempt ended, from what the provider answered. The meanings themselves are in `answer_tables.py`."""

import re
from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from typing import Final, Literal, TypeAlias

from engine.rules.answer_tables import (
    SENDER_WORDS,
    SMTP_ENHANCED,
    SMTP_OWN_PACE,
    SMTP_REPLIES,
    SMTP_SLOW_DOWN,
    TWILIO_CODES,
    TWILIO_STATUS,
    TWILIO_STATUS_ALWAYS,
    TWILIO_UNDELIVERED,
    TWILIO_UNREACHABLE,
    Meaning,
)
from engine.rules.greylisting import CODES as COME_AGAIN_CODES
from engine.rules.outcome import Outcome
from schema.states import AttemptOutcome

#: Where in its conversation an SMTP server answered: `dot` is after the final dot.
Stage: TypeAlias = Literal["connect", "login", "mail", "rcpt", "data", "dot"]

#: No back-off is longer (DESIGN.md section 9). Real seconds.
LONGEST_WAIT: Final = 900.0

DETAIL_LENGTH: Final = 200

#: Stages at which an answer is about the recipient.
_ABOUT_RECIPIENT: Final = ("rcpt", "dot")

_ADDRESS: Final = re.compile(r"[^\s<>()\[\]\"',:;]*@[^\s<>()\[\]\"',:;]+")
_NUMBER: Final = re.compile(r"\+?\(?\d(?:[\s().\-]{0,2}\d){6,}")
_BLANK: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
#: Whole words, outside addresses: `<spfeiffer@example.com>: Recipient address rejected` is about nobody's SPF.
_SENDER_WORD: Final = re.compile(r"\b(?:" + "|".join(map(re.escape, SENDER_WORDS)) + r")\b", re.IGNORECASE)
_ENHANCED: Final = re.compile(r"\s*[245]\.(\d{1,3})\.(\d{1,3})(?=\s|$)")


def _by_code(meanings: Iterable[Meaning]) -> dict[str, Meaning]:
    return {meaning.code: meaning for meaning in meanings}


_TWILIO_CODES: Final = _by_code(TWILIO_CODES)
_TWILIO_STATUS: Final = _by_code(TWILIO_STATUS)
_TWILIO_STATUS_ALWAYS: Final = _by_code(TWILIO_STATUS_ALWAYS)
_TWILIO_UNDELIVERED: Final = _by_code(TWILIO_UNDELIVERED)
_TWILIO_UNREACHABLE: Final = _by_code(TWILIO_UNREACHABLE)
_SMTP_ENHANCED: Final = _by_code(SMTP_ENHANCED)
_SMTP_REPLIES: Final = _by_code(SMTP_REPLIES)
_SENDER_WORDS: Final = Meaning(
    "5.7.1", AttemptOutcome.HELD, "refused by policy, for the sender's authentication", "RFC 3463", pauses=True
)


def twilio_outcome(status: int, code: int | None, text: str = "", retry_after: float | None = None) -> Outcome:
    """What an HTTP answer of Twilio other than a good one means.

    `code` is Twilio's error code, if the answer had one; `retry_after` is in real seconds.
    """
    meaning = _TWILIO_STATUS_ALWAYS.get(str(status))
    if meaning is None and 300 <= status < 500:
        meaning = _TWILIO_CODES.get(str(code)) or _TWILIO_STATUS.get(str(status))
    if meaning is not None:
        outcome, suppress, pauses = meaning.outcome, meaning.suppress, meaning.pauses
    else:
        outcome = AttemptOutcome.REFUSED if 300 <= status < 500 else AttemptOutcome.UNANSWERED
        suppress, pauses = None, False
    wait = None if retry_after is None else min(max(retry_after, 0.0), LONGEST_WAIT)
    return Outcome(
        outcome,
        error_code=str(code or status),
        detail=masked(text),
        retry_after=wait if outcome in (AttemptOutcome.HELD, AttemptOutcome.DEFERRED) else None,
        suppress=suppress,
        pauses=pauses,
    )


def suppressed_by(code: str | None) -> str | None:
    """Return the reason to suppress a number by the error code of a message that was not delivered; None: none."""
    meaning = _TWILIO_UNDELIVERED.get(code or "") or _TWILIO_CODES.get(code or "")
    return None if meaning is None else meaning.suppress


def words_of(code: str | None) -> str | None:
    """Return what a provider's error code means; None: there is none, or it is not known."""
    meaning = (
        _TWILIO_CODES.get(code or "") or _TWILIO_UNDELIVERED.get(code or "") or _TWILIO_UNREACHABLE.get(code or "")
    ) or _SMTP_REPLIES.get(code or "")
    return None if meaning is None else meaning.note


def may_be_unreachable(code: str | None) -> bool:
    """Return whether an error code says that a number can't be reached for now."""
    return code in _TWILIO_UNREACHABLE


def smtp_outcome(code: int, text: str, stage: Stage) -> Outcome:
    """What an SMTP reply means that ended a try at `stage` (RFC 5321 section 4.2)."""
    outcome, suppress = _smtp_meaning(code, text, stage)
    come_again = outcome is AttemptOutcome.HELD and _asks_to_come_again(code, text, stage)
    pauses = outcome is AttemptOutcome.HELD and _is_about_the_account(code, text)
    status = _ENHANCED.match(text)
    detail = f"{status.group().strip()} {masked(text[status.end() :])}" if status else masked(text)
    error_code = str(code) if code > 0 and outcome is not AttemptOutcome.ACCEPTED else None
    return Outcome(
        outcome, error_code=error_code, detail=detail.strip(), suppress=suppress, pauses=pauses, come_again=come_again
    )


def _smtp_meaning(code: int, text: str, stage: Stage) -> tuple[AttemptOutcome, str | None]:
    if 200 <= code < 300 and stage == "dot":
        return AttemptOutcome.ACCEPTED, None
    if not 400 <= code < 600:
        # No reply that RFC 5321 knows here: after the dot it settles nothing.
        return (AttemptOutcome.UNANSWERED if stage == "dot" else AttemptOutcome.HELD), None
    if stage in ("connect", "login") or code == 421:
        return AttemptOutcome.HELD, None
    meaning = _meaning(code, text)
    if meaning is not None:
        return meaning.outcome, meaning.suppress if stage in _ABOUT_RECIPIENT else None
    if code >= 500:
        return AttemptOutcome.REFUSED, None
    not_now = str(code) in COME_AGAIN_CODES or any(words in text.lower() for words in SMTP_SLOW_DOWN)
    return (AttemptOutcome.HELD if not_now else AttemptOutcome.DEFERRED), None


def _asks_to_come_again(code: int, text: str, stage: Stage) -> bool:
    """Return whether the server refused this message for now, and not the connection or the whole account."""
    if stage in ("connect", "login") or (code == 421 and stage == "mail"):
        return False
    status = _ENHANCED.match(text)
    if status is not None and f"{status[1]}.{status[2]}" in SMTP_OWN_PACE:
        return False
    return str(code) in COME_AGAIN_CODES


def _is_about_the_account(code: int, text: str) -> bool:
    meaning = _meaning(code, text)
    return meaning is not None and meaning.pauses


def _meaning(code: int, text: str) -> Meaning | None:
    """Look up the enhanced code, then what the words say of the sender, then the reply code."""
    status = _ENHANCED.match(text)
    by_policy = status is not None and code >= 500 and (status[1], status[2]) == ("7", "1")
    if by_policy and _SENDER_WORD.search(_ADDRESS.sub("", text)):
        return _SENDER_WORDS
    return _enhanced_meaning(code, text) or _SMTP_REPLIES.get(str(code))


def _enhanced_meaning(code: int, text: str) -> Meaning | None:
    """Look up the enhanced code; the reply code has the say on its class, where the two differ."""
    status = _ENHANCED.match(text)
    if status is None:
        return None
    subject, detail = int(status[1]), int(status[2])
    kind = f"{code // 100}.{subject}"
    return _SMTP_ENHANCED.get(f"{kind}.{detail}") or _SMTP_ENHANCED.get(kind)


def masked(text: str) -> str:
    """Make a provider's words fit for a log: one line, without addresses and phone numbers."""
    text = _BLANK.sub(" ", text[: 10 * DETAIL_LENGTH]).strip()
    return _NUMBER.sub("<number>", _ADDRESS.sub("<address>", text))[:DETAIL_LENGTH]


def retry_after_seconds(header: str | None, date: str | None) -> float | None:
    """The wait that a Retry-After header asks for, in real seconds (RFC 9110 section 10.2.3).

    `date` is the Date header of the same answer, so that no clock but the server's is asked. None where there is no
    header, or none that can be read.
    """
    if header is None:
        return None
    if header.strip().isascii() and header.strip().isdigit():
        return float(header.strip()[:9])
    try:
        until, now = parsedate_to_datetime(header), parsedate_to_datetime(date or "")
        return max((until - now).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return None
