"""Mailboxes as people paste them."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.utils import formataddr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.definition import InvalidDefinition, parse
from schema.mailbox import Sender, read_sender
from workers.channels.channel import Email
from workers.channels.email.mime import build


@pytest.mark.parametrize(
    ("written", "name", "address"),
    [
        ("info@example.com", "", "info@example.com"),
        ("<info@example.com>", "", "info@example.com"),
        ("Acme <info@example.com>", "Acme", "info@example.com"),
        ("Acme, Inc. <info@example.com>", "Acme, Inc.", "info@example.com"),
        ("Acme: Sales <info@example.com>", "Acme: Sales", "info@example.com"),
        ('"Acme, Inc." <info@example.com>', "Acme, Inc.", "info@example.com"),
        ('"Say \\"Hi\\"" <info@example.com>', 'Say "Hi"', "info@example.com"),
        ("Müller & Söhne (Wien) <info@example.com>", "Müller & Söhne (Wien)", "info@example.com"),
        ("=?utf-8?B?TcO8bGxlcg==?= <info@example.com>", "Müller", "info@example.com"),
        ("A <B> C <info@example.com>", "A <B> C", "info@example.com"),
        ('"Ann <ann@example.com>" <info@example.com>', "Ann <ann@example.com>", "info@example.com"),
        ("  Acme   <info@example.com>  ", "Acme", "info@example.com"),
    ],
)
def test_what_people_paste_is_read(written: str, name: str, address: str) -> None:
    assert read_sender(written) == Sender(name, address)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "Acme",
        "Acme info@example.com",
        "Acme <info>",
        "<info@example.com",
        "a@b\n",
        "a@.",
        # one of two would be dropped
        "Ann <ann@example.com>, Bob <bob@example.com>",
        '"Ann" <ann@example.com>, "Bob" <bob@example.com>',
        # names that can't be decoded, or that hide a second line
        "=?nope?q?a?= <info@example.com>",
        "=?utf-8?B?a?= <info@example.com>",
        "=?utf-8?q?=FF?= <info@example.com>",
        "=?utf-8?q?a=0D=0ABcc:_eve?= <info@example.com>",
    ],
)
def test_what_has_no_address_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"email address|control|expected|one address|decoded"):
        read_sender(written)


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp", "Zs")), max_size=30))
def test_a_name_that_the_library_writes_is_read(name: str) -> None:
    quoted = formataddr((name.replace("=?", ""), "info@example.com"), charset="utf-8")
    assert read_sender(quoted).address == "info@example.com"


HEAD = "sequence: a\nsteps:\n  - {key: b, type: email, subject: Hi, text: Hi, MORE}\n"


@pytest.mark.parametrize(
    "more",
    [
        "headers: {Bcc: eve@example.com}",
        "headers: {Subject: x}",
        "headers: {DKIM-Signature: x}",
        "headers: {List-Unsubscribe: x}",
        "headers: {X-Auto-Response-Suppress: All}",
        'headers: {X-SMTPAPI: "{}"}',
        "headers: {X-MC-BccAddress: eve@example.com}",
        'headers: {x-mailgun-drop-message: "yes"}',
        'headers: {X-A: "a\\nBcc: eve@example.com"}',
        "headers: {X-A: b, x-a: c}",
        "headers: {'X A': b}",
        "reply_to: nobody",
        'reply_to: "a@example.com\\nBcc: eve@example.com"',
        'reply_to: "{{ contact.mail }}"',
        "cc: nobody",
        'reply_to: "foo@"',
        'reply_to: "a b@example.com"',
        'reply_to: "Sales <sales@example.com"',
        'cc: ["Ann <ann@example.com>, Bob <bob@example.com>"]',
        "cc: [" + ", ".join(f"a{number}@example.com" for number in range(11)) + "]",
    ],
)
def test_headers_that_are_not_safe_are_refused(more: str) -> None:
    with pytest.raises(InvalidDefinition):
        parse(HEAD.replace("MORE", more))


def test_headers_that_are_not_used_change_no_digest() -> None:
    plain = parse(HEAD.replace(", MORE", ""))
    assert parse(HEAD.replace("MORE", "transactional: false, cc: [], headers: {}")).digest() == plain.digest()
    assert "cc" not in plain.canonical()["steps"][0]


def test_the_unsubscribe_link_is_for_emails() -> None:
    parse(HEAD.replace("text: Hi, MORE", 'text: "{{ unsubscribe_url }}"'))
    with pytest.raises(InvalidDefinition, match="unknown variable 'unsubscribe_url'"):
        parse('sequence: a\nsteps: [{key: b, type: sms, body: "{{ unsubscribe_url }}"}]')


def test_no_header_is_smuggled_in() -> None:
    email = Email(
        to="a@example.com",
        sender="A <b@example.com>",
        message_id="<1@example.com>",
        date=datetime(2026, 1, 1, tzinfo=UTC),
        subject="Hi",
        text="Hi",
        html=None,
        reply_to="Acme, Inc. <r@example.com>",
        cc=("C, D <c@example.com>", "d@example.com"),
        headers=(("X-A", "b\r\nBcc: eve@example.com"),),
        list_unsubscribe=("https://example.com/" + "x" * 200, "mailto:a@example.com?subject=x"),
        one_click=True,
    )
    message = message_from_bytes(build(email), policy=policy.default)
    assert message["Bcc"] is None
    assert message["X-A"] == "b Bcc: eve@example.com"
    assert message["Cc"] == '"C, D" <c@example.com>, d@example.com'
    assert message["Reply-To"] == '"Acme, Inc." <r@example.com>'
    assert message["List-Unsubscribe"].split(", ")[0] == "<https://example.com/" + "x" * 200 + ">"
