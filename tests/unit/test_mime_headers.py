"""Headers of emails: names, folding, and that nothing written by others becomes a header."""

import email
import email.header
import email.policy
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.channels.channel import Email
from workers.channels.email.mime import HEADER_LINE, build

HEADERS = [
    "From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"
]  # fmt: skip

BREAKS = ["\r\n", "\n", "\r", "\r\n ", "\n\t", "\x00\r\n", "\x0b", "\x0c", "\x1c", "\x1e", "\x85", "\u2028", "\u2029"]
FORGED = "Bcc: victim@example.com"


def message(subject: str = "s", sender: str = "Ann <ann@example.com>", message_id: str = "<1@example.com>") -> bytes:
    return build(
        Email(
            to="bob@example.com",
            sender=sender,
            message_id=message_id,
            date=datetime(2026, 1, 2, tzinfo=UTC),
            subject=subject,
            text="body",
            html=None,
        )
    )


def header(raw: bytes, name: str) -> str:
    return str(email.message_from_bytes(raw, policy=email.policy.default)[name])


def names(raw: bytes) -> list[str]:
    """The header names, by the strictest reading: whatever starts a line of the head."""
    head = raw.split(b"\r\n\r\n", 1)[0].decode()
    return [line.split(":", 1)[0] for line in re.split("\r\n|\r|\n", head) if not line.startswith(" ")]


@pytest.mark.parametrize("line_break", BREAKS)
@pytest.mark.parametrize("before", ["Hello", "Grüße", "x" * 200, ""])
def test_no_header_can_be_smuggled_in(line_break: str, before: str) -> None:
    forged = f"{before}{line_break}{FORGED}"
    for raw in (message(subject=forged), message(message_id=f"<1@example.com>{line_break}{FORGED}")):
        assert names(raw) == HEADERS
        assert raw.endswith(b"\r\n\r\nbody\r\n")


@pytest.mark.parametrize("line_break", BREAKS)
def test_no_header_can_be_smuggled_in_by_a_sender(line_break: str) -> None:
    sender = f'"Ann{line_break}{FORGED}" <ann@example.com>'
    if line_break[0] < " ":
        with pytest.raises(ValueError, match="control characters"):
            message(sender=sender)
    else:
        assert names(message(sender=sender)) == HEADERS


@settings(max_examples=300, deadline=None)
@given(
    subject=st.text(max_size=200),
    name=st.text(max_size=60),
    message_id=st.text(st.characters(codec="ascii"), max_size=40),
)
def test_headers_stay_what_they_are_whatever_is_in_them(subject: str, name: str, message_id: str) -> None:
    try:
        raw = message(subject, f"{name} <ann@example.com>", message_id)
    except ValueError:
        return
    assert raw.isascii()
    assert names(raw) == HEADERS


@pytest.mark.parametrize(
    "to",
    [
        "",
        "bob",
        "bob@",
        "@example.com",
        "bob@example.com\r\nBcc: eve@example.com",
        "bob@example.com>\r\nDATA",
        "bob <bob@example.com>",
        "bob@exam ple.com",
        "a@b@c",
        "bøb@example.com",
        "bob@bücher.example",
        "bob@example.com\n",
        '"bob"@example.com',
        "bob@example.com SIZE=1",
    ],
)
def test_a_recipient_that_is_no_address_is_refused(to: str) -> None:
    given_email = Email(
        to=to,
        sender="a@example.com",
        message_id="<1@x>",
        date=datetime(2026, 1, 2, tzinfo=UTC),
        subject="",
        text="",
        html=None,
    )
    with pytest.raises(ValueError, match="expected an email address"):
        build(given_email)


@pytest.mark.parametrize("sender", ["", "Ann", "Ann <>", "Ann <ann>", "Ann <ann@example.com\r\nBcc: eve@example.com>"])
def test_a_sender_without_an_address_is_refused(sender: str) -> None:
    with pytest.raises(ValueError, match=r"expected an email address|control"):
        message(sender=sender)


@pytest.mark.parametrize(
    ("sender", "told"),
    [
        ("ann@example.com", "ann@example.com"),
        ("<ann@example.com>", "ann@example.com"),
        ("Ann Lee <ann@example.com>", "Ann Lee <ann@example.com>"),
        ('"Lee, Ann" <ann@example.com>', '"Lee, Ann" <ann@example.com>'),
        (r'"Ann \"A\" \\ Lee" <ann@example.com>', r'"Ann \"A\" \\ Lee" <ann@example.com>'),
        ("Jürgen Groß <j@example.com>", "Jürgen Groß <j@example.com>"),
        ("山田太郎 <y@example.com>", "山田太郎 <y@example.com>"),
        ("Dr. Ann <ann@example.com>", '"Dr. Ann" <ann@example.com>'),
        (f"{'Ann ' * 30}<ann@example.com>", f"{'Ann ' * 30}<ann@example.com>"),
        (f'"{"Ann, " * 30}Inc." <ann@example.com>', f'"{"Ann, " * 30}Inc." <ann@example.com>'),
    ],
)
def test_the_name_of_the_sender(sender: str, told: str) -> None:
    raw = message(sender=sender)
    assert header(raw, "From") == told
    assert names(raw) == HEADERS
    assert max(map(len, raw.split(b"\r\n"))) <= HEADER_LINE


def test_a_long_name_beyond_ascii_is_several_encoded_words() -> None:
    raw = message(sender="株式会社サンプル カスタマーサポート 東京本社 <ann@example.com>")
    # The default policy of older Pythons leaves a blank between encoded words (RFC 2047 section 6.2 has none).
    told = str(email.header.make_header(email.header.decode_header(raw.split(b"\r\nTo:")[0].decode())))
    assert told == "From: 株式会社サンプル カスタマーサポート 東京本社 <ann@example.com>"


@pytest.mark.parametrize(
    "subject",
    [
        "",
        "See you soon, Ann",
        "x" * 69,
        "x" * 70,
        "x" * 5000,
        "word " * 60 + "end",
        "a" * 68 + " " + "b" * 68,
        "Bis später, Jürgen " * 12 + "!",
        "日本語の件名です" * 20,
        "\U0001f600" * 40,
        "=?utf-8?b?RmFrZQ==?= is not to be decoded",
        "100% =?",
        "שלום עולם",
    ],
)
def test_a_subject_arrives_whole_and_in_short_lines(subject: str) -> None:
    raw = message(subject)
    assert header(raw, "Subject") == subject
    head = raw.split(b"\r\n\r\n", 1)[0]
    lines = head.split(b"\r\n")
    assert max(map(len, lines)) <= HEADER_LINE
    for word in re.findall(rb"=\?utf-8\?b\?[^?]*\?=", head):
        assert len(word) <= 75
        assert "\ufffd" not in str(email.header.make_header(email.header.decode_header(word.decode())))


def test_blanks_in_a_subject_become_one() -> None:
    assert header(message("  a \r\n\t b\x00\x1f c  "), "Subject") == "a b c"
