"""What providers say is kept without whom it is about."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.rules.answers import DETAIL_LENGTH, masked, smtp_outcome, twilio_outcome


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("The 'To' number +15005550001 is not valid", "The 'To' number <number> is not valid"),
        ("call (500) 555-0001 or 500.555.0001", "call <number> or <number>"),
        ("+44 20 7946 0958", "<number>"),
        ("<ann.lee+x@example.com>: unknown", "<<address>>: unknown"),
        ("jürgen@exämple.de unknown", "<address> unknown"),
        ("'o'brien@example.com'", "'o'<address>'"),
        ("550 of 1600 characters, code 21211, 10 files", "550 of 1600 characters, code 21211, 10 files"),
        ("two\r\nlines\x00 and\ttabs", "two lines and tabs"),
        ("", ""),
    ],
)
def test_masks(said: str, kept: str) -> None:
    assert masked(said) == kept


def test_a_long_detail_is_cut_after_it_was_masked() -> None:
    detail = masked("x" * (DETAIL_LENGTH - 8) + " +15005550001 is not valid")
    assert len(detail) == DETAIL_LENGTH
    assert "5005" not in detail


NUMBERS = st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True)
ADDRESSES = st.from_regex(r"[a-z0-9.+_-]{1,20}@[a-z0-9-]{1,20}\.[a-z]{2,6}", fullmatch=True)


@settings(deadline=None)
@given(before=st.text(max_size=30), secret=NUMBERS | ADDRESSES, after=st.text(max_size=30))
def test_no_number_or_address_gets_through(before: str, secret: str, after: str) -> None:
    said = f"{before} {secret} {after}"
    for detail in (
        masked(said),
        twilio_outcome(400, 21211, said).detail,
        smtp_outcome(550, f"5.1.1 {said}", "rcpt").detail,
    ):
        assert secret not in detail
        assert "\n" not in detail
        assert "\r" not in detail
