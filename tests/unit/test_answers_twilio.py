"""What Twilio's answers mean."""

from collections import Counter

import pytest

from engine.rules.answer_tables import TWILIO_CODES, TWILIO_STATUS, TWILIO_STATUS_ALWAYS
from engine.rules.answers import (
    LONGEST_WAIT,
    may_be_unreachable,
    retry_after_seconds,
    suppressed_by,
    twilio_outcome,
)
from schema.states import AttemptOutcome

REFUSED, DEFERRED, HELD, UNANSWERED = (
    AttemptOutcome.REFUSED,
    AttemptOutcome.DEFERRED,
    AttemptOutcome.HELD,
    AttemptOutcome.UNANSWERED,
)


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        (400, 21211, REFUSED),
        (400, 21610, REFUSED),
        (400, 21614, REFUSED),
        (400, 21612, REFUSED),
        (400, 21617, REFUSED),
        (400, 99999, REFUSED),
        (400, None, REFUSED),
        (413, None, REFUSED),
        (400, 21611, DEFERRED),
        (401, 20003, HELD),
        (403, 20003, HELD),
        (403, None, HELD),
        (400, 21606, HELD),
        (400, 21408, HELD),
        (404, 20404, HELD),
        (404, None, HELD),
        (407, None, HELD),
        (429, 20429, HELD),
        (429, None, HELD),
        (429, 21211, HELD),
        (400, 20429, HELD),
        (301, None, HELD),
        (308, None, HELD),
        (303, None, UNANSWERED),
        (408, None, UNANSWERED),
        (408, 21211, UNANSWERED),
        (500, 20500, UNANSWERED),
        (500, 21211, UNANSWERED),
        (502, None, UNANSWERED),
        (503, 20503, UNANSWERED),
        (504, None, UNANSWERED),
        (599, None, UNANSWERED),
        (200, None, UNANSWERED),
        (0, None, UNANSWERED),
    ],
)
def test_answers(status: int, code: int | None, outcome: AttemptOutcome) -> None:
    told = twilio_outcome(status, code, "said")
    assert told.outcome is outcome
    assert told.error_code == str(code or status)
    assert told.provider_id is None


def test_only_what_is_about_the_recipient_suppresses() -> None:
    assert twilio_outcome(400, 21610).suppress == "unsubscribed"
    numbers = {meaning.code for meaning in TWILIO_CODES if meaning.suppress == "undeliverable"}
    assert numbers == {"21211", "21217", "21268", "21614", "21635"}
    assert {meaning.code for meaning in TWILIO_CODES if meaning.suppress} == {"21610", *numbers}
    assert not any(meaning.suppress and meaning.pauses for meaning in TWILIO_CODES)


@pytest.mark.parametrize(
    "code", ["30001", "30002", "30003", "30004", "30007", "30008", "30034", "21612", "99999", None]
)
def test_what_is_not_for_good_or_not_about_the_number_suppresses_nothing_at_once(code: str | None) -> None:
    assert suppressed_by(code) is None
    assert may_be_unreachable(code) == (code == "30003")
    assert twilio_outcome(429, 21610).suppress is None


@pytest.mark.parametrize(
    ("status", "code", "pauses"),
    [
        (401, 20003, True),
        (401, None, True),
        (400, 21606, True),
        (308, None, True),
        (429, 20429, False),
        (429, 20003, False),
        (400, 21408, False),  # of one region
        (400, 21608, False),  # of one recipient
        (400, 21211, False),
        (500, 20003, False),
    ],
)
def test_what_every_other_message_would_meet_too_pauses_the_channel(
    status: int, code: int | None, pauses: bool
) -> None:
    assert twilio_outcome(status, code).pauses is pauses


def test_only_what_is_held_pauses_a_channel() -> None:
    meanings = (*TWILIO_CODES, *TWILIO_STATUS, *TWILIO_STATUS_ALWAYS)
    assert {meaning.outcome for meaning in meanings if meaning.pauses} == {HELD}


def test_every_meaning_is_there_once_and_says_its_source() -> None:
    for table in (TWILIO_CODES, (*TWILIO_STATUS, *TWILIO_STATUS_ALWAYS)):
        assert max(Counter(meaning.code for meaning in table).values()) == 1
        for meaning in table:
            assert meaning.note
            assert meaning.source
            assert meaning.outcome is not AttemptOutcome.ACCEPTED


def test_nothing_that_may_have_been_accepted_is_sent_again() -> None:
    again = (AttemptOutcome.HELD, AttemptOutcome.DEFERRED)
    for status in (*range(300), *range(500, 1000), 303, 408):
        for code in (None, *(int(meaning.code) for meaning in TWILIO_CODES if meaning.code != "20429")):
            assert twilio_outcome(status, code).outcome not in again


@pytest.mark.parametrize(("asked", "told"), [(None, None), (7.5, 7.5), (0, 0), (-3, 0), (86_400, LONGEST_WAIT)])
def test_retry_after_is_kept_and_capped(asked: float | None, told: float | None) -> None:
    assert twilio_outcome(429, 20429, "", asked).retry_after == told
    assert twilio_outcome(400, 21211, "", asked).retry_after is None
    assert twilio_outcome(503, None, "", asked).retry_after is None


NOW = "Sat, 21 Nov 2026 07:00:00 GMT"


@pytest.mark.parametrize(
    ("header", "date", "seconds"),
    [
        (None, NOW, None),
        ("0", None, 0),
        (" 120 ", None, 120),
        ("9" * 400, None, 999_999_999),
        ("Sat, 21 Nov 2026 07:02:00 GMT", NOW, 120),
        ("Saturday, 21-Nov-26 07:02:00 GMT", NOW, 120),
        ("Sat, 21 Nov 2026 06:00:00 GMT", NOW, 0),
        ("Sat, 21 Nov 2026 07:02:00 GMT", None, None),
        ("Sat, 21 Nov 2026 07:02:00 GMT", "yesterday", None),
        ("Sat, 21 Nov 2026 07:02:00 -0000", NOW, None),
        ("-5", NOW, None),
        ("1.5", NOW, None),
        ("²", NOW, None),
        ("", NOW, None),
        ("soon", NOW, None),
        ("Sat, 99 Nov 99999 07:02:00 GMT", NOW, None),
    ],
)
def test_retry_after_headers(header: str | None, date: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header, date) == seconds
