"""Emails as bytes: what a mail reader finds in them, and what SMTP asks of them."""

import email
import email.policy
import re
from dataclasses import replace
from datetime import UTC, datetime
from email.header import decode_header
from email.message import EmailMessage

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workers.channels.channel import Email
from workers.channels.email import mime
from workers.channels.email.mime import HEADER_LINE, LONGEST_LINE, build

HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"]

#: What mail has tripped over: dots, long lines, every kind of line end, all planes and directions of Unicode.
NASTY = st.lists(
    st.text(max_size=40)
    | st.sampled_from(
        [".", "..", "\n.\n", "\r\n.\r\n", "\r", "\n", "\r\n", "\n\r", "From me\n", "=", "=20", "--=_", "é",
         "\U0001f600", "שלום עולם", "مرحبا", "\u202e", "\u2028", "\u0085", "\x0b", "\x0c", "\x1c", "\x00", "\x7f",
         "\t", " ", " \n", "x" * 998, "y" * 999, "z" * 3000, "日" * 400, "\ufeff", "e\u0301", "=?utf-8?b?eA==?=",
         "\ud800"]
    ),
    max_size=8,
).map("".join)  # fmt: skip


def an_email(subject: str = "See you soon", text: str | None = "Hello", html: str | None = None) -> Email:
    return Email(
        to="ann@example.com",
        sender="Cadenza <cadenza@example.com>",
        message_id="<17.ab12@example.com>",
        date=datetime(2026, 11, 21, 7, 0, 5, tzinfo=UTC),
        subject=subject,
        text=text,
        html=html,
    )


def parsed(message: bytes) -> EmailMessage:
    return email.message_from_bytes(message, policy=email.policy.default)


def content(message: bytes, kind: str) -> str:
    """A body as the standard library reads it."""
    part = parsed(message).get_body((kind,))
    assert part is not None
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode("utf-8")


def expected(text: str) -> str:
    """A body as it should arrive: line ends are CRLF, the last line has one."""
    lines = text.encode("utf-8", "replace").decode().replace("\r\n", "\n").replace("\r", "\n")
    return (lines if lines.endswith("\n") else lines + "\n").replace("\n", "\r\n")


def check_wire_format(message: bytes) -> None:
    assert message.isascii()
    assert message.endswith(b"\r\n")
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", message)
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", message)
    assert max(map(len, message.split(b"\r\n"))) <= LONGEST_LINE
    head = message.split(b"\r\n\r\n", 1)[0]
    assert not head.startswith(b".")
    assert max(map(len, head.split(b"\r\n"))) <= HEADER_LINE + len("Content-Type: multipart/alternative")


def test_a_message_with_both_bodies() -> None:
    message = build(an_email(text="Hello Ann", html="<p>Hello Ann</p>"))
    check_wire_format(message)
    read = parsed(message)
    assert list(read.keys()) == HEADERS
    assert read["From"] == "Cadenza <cadenza@example.com>"
    assert read["To"] == "ann@example.com"
    assert read["Subject"] == "See you soon"
    assert read["Date"] == "Sat, 21 Nov 2026 07:00:05 +0000"
    assert read["Message-ID"] == "<17.ab12@example.com>"
    assert read.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in read.iter_parts()] == ["text/plain", "text/html"]
    assert content(message, "plain") == "Hello Ann\r\n"
    assert content(message, "html") == "<p>Hello Ann</p>\r\n"
    assert not read.defects


@pytest.mark.parametrize(
    ("text", "html", "kind"),
    [("only", None, "text/plain"), (None, "<b>only</b>", "text/html"), (None, None, "text/plain")],
)
def test_a_message_with_one_body_has_one_part(text: str | None, html: str | None, kind: str) -> None:
    message = build(an_email(text=text, html=html))
    check_wire_format(message)
    assert parsed(message).get_content_type() == kind
    assert content(message, kind.removeprefix("text/")) == (text or html or "") + "\r\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("plain", "7bit"),
        ("a\tb\r\nc", "7bit"),
        ("x" * 998, "7bit"),
        ("x" * 998 + "\n" + "y" * 998, "7bit"),
        ("x" * 999, "quoted-printable"),
        ("short\n" * 300 + "y" * 999 + "\nshort", "quoted-printable"),
        ("a bell \x07 rings", "quoted-printable"),
        ("Grüße aus München, und bis bald in der alten Heimat", "quoted-printable"),
        ("こんにちは", "base64"),
        ("שלום", "base64"),
        ("\U0001f600" * 50, "base64"),
    ],
)
def test_each_body_is_encoded_as_it_needs(text: str, encoding: str) -> None:
    message = build(an_email(text=text))
    check_wire_format(message)
    assert parsed(message)["Content-Transfer-Encoding"] == encoding
    assert content(message, "plain") == expected(text)


@settings(max_examples=400, deadline=None)
@given(text=NASTY, html=NASTY, subject=NASTY)
@example(text="", html="", subject="")
@example(text="é" + "x" * 74, html="é" + "x" * 75 + "\n", subject="é" * 13 + "\U0001f600" * 20)
def test_what_is_read_is_what_was_written(text: str, html: str, subject: str) -> None:
    message = build(an_email(subject, text, html))
    check_wire_format(message)
    assert content(message, "plain") == expected(text)
    assert content(message, "html") == expected(html)
    read = parsed(message)
    assert list(read.keys()) == HEADERS
    one_line = re.sub("[\x00-\x20\x7f-\x9f\u2028\u2029]+", " ", subject).strip(" ")
    assert (
        "".join(
            part.decode(charset or "ascii") if isinstance(part, bytes) else part
            for part, charset in decode_header(re.sub(r"\r\n(?= )", "", str(read_raw(message, "Subject"))))
        )
        == one_line.encode("utf-8", "replace").decode()
    )


def read_raw(message: bytes, name: str) -> str:
    """A header as it was sent, folds and all."""
    value: str = email.message_from_bytes(message, policy=email.policy.compat32)[name]
    return value


@settings(max_examples=200, deadline=None)
@given(text=NASTY, html=NASTY, subject=NASTY)
def test_equal_emails_are_equal_bytes(text: str, html: str, subject: str) -> None:
    assert build(an_email(subject, text, html)) == build(an_email(subject, text, html))


def test_a_text_that_knows_the_boundary_does_not_end_its_part() -> None:
    boundary = parsed(build(an_email(text="a", html="b"))).get_boundary()
    assert boundary is not None
    text = f"before\r\n--{boundary}\r\nContent-Type: text/html\r\n\r\n<b>forged</b>\r\n--{boundary}--\r\nafter"
    message = build(an_email(text=text, html="<p>real</p>"))
    assert parsed(message).get_boundary() != boundary
    assert content(message, "plain") == expected(text)
    assert content(message, "html") == "<p>real</p>\r\n"


@given(
    senders=st.lists(
        st.sampled_from(["a@example.com", "Ada <a@example.com>", "Ad\u00e9 <a@example.com>", '"A, B" <b@example.com>'])
    ),
    dates=st.lists(st.datetimes(timezones=st.timezones()).filter(lambda date: date.year > 1999), min_size=1),
    text=NASTY,
)
def test_what_is_prepared_once_changes_no_byte(senders: list[str], dates: list[datetime], text: str) -> None:
    """Headers are kept from one email to the next: an email is the same bytes whatever was built before."""
    emails = [
        replace(an_email(text, text, text), sender=sender, date=date)
        for sender in ["x@example.com", *senders]
        for date in dates
    ]
    after_others = [build(one) for one in emails]
    for one, built in zip(emails, after_others, strict=True):
        for kept in (mime._from, mime._date, mime._part_headers):
            kept.cache_clear()
        assert build(one) == built
