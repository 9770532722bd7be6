"""CADENZA_SMTP_URL: what is read from it, and what is said when it can't be."""

import pytest

from engine.errors import InvalidInput
from workers.channels.email.server import Security, SmtpServer, parse_smtp_url


@pytest.mark.parametrize(
    ("url", "host", "port", "security"),
    [
        ("smtp://mail.example.com", "mail.example.com", 25, "none"),
        ("smtp://mail.example.com/", "mail.example.com", 25, "none"),
        ("smtp://mail.example.com:2525", "mail.example.com", 2525, "none"),
        ("smtp://mail.example.com?starttls=false", "mail.example.com", 25, "none"),
        ("smtp://mail.example.com?starttls=true", "mail.example.com", 587, "starttls"),
        ("smtp://mail.example.com:25/?starttls=1", "mail.example.com", 25, "starttls"),
        ("smtps://mail.example.com", "mail.example.com", 465, "tls"),
        ("SMTPS://Mail.Example.com:4650", "mail.example.com", 4650, "tls"),
        ("smtp://[::1]:2525", "::1", 2525, "none"),
        (" smtp://127.0.0.1:2525\n", "127.0.0.1", 2525, "none"),
    ],
)
def test_where_and_how(url: str, host: str, port: int, security: Security) -> None:
    assert parse_smtp_url(url) == SmtpServer(host, port, security)


@pytest.mark.parametrize(
    ("credentials", "user", "password"),
    [
        ("user:pw@", "user", "pw"),
        ("ann%40example.com:p%3Aw%2F%25@", "ann@example.com", "p:w/%"),
        ("ann@example.com:p@ss@", "ann@example.com", "p@ss"),
        ("user:a+b@", "user", "a+b"),
    ],
)
def test_credentials_are_decoded(credentials: str, user: str, password: str) -> None:
    server = parse_smtp_url(f"smtps://{credentials}mail.example.com")
    assert (server.user, server.password) == (user, password)
    assert password not in repr(server)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "host is missing"),
        ("mail.example.com", "host is missing"),
        ("smtp://", "host is missing"),
        ("smtp://:2525", "host is missing"),
        ("http://u:secret@mail.example.com", "neither smtp nor smtps"),
        ("smtp://u:secret@mail.example.com:port", "can't be read"),
        ("smtp://u:secret@mail.example.com:99999", "can't be read"),
        ("smtp://u:secret@[::1", "can't be read"),
        ("smtp://u:sec/ret@mail.example.com", "can't be read"),
        ("smtp://u:sec#secret@mail.example.com", "can't be read"),
        ("smtp://u:secret@mail.example.com/path", "may follow the port"),
        ("smtp://u:secret@mail.example.com#frag", "may follow the port"),
        ("smtp://u:secret@mail.example.com?tls=1", "tls is unknown"),
        ("smtp://u:secret@mail.example.com?starttls=maybe", "true or false"),
        ("smtps://u:secret@mail.example.com?starttls=true", "encrypted from the start"),
        ("smtp://secret@mail.example.com", "missing"),
        ("smtp://:secret@mail.example.com", "missing"),
        ("smtp://u:secret%C3%A9@mail.example.com", "ASCII"),
    ],
)
def test_what_can_not_be_used_is_told_in_a_line_without_the_password(url: str, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem) as caught:
        parse_smtp_url(url)
    said = str(caught.value)
    assert said.startswith("CADENZA_SMTP_URL: ")
    assert "secret" not in said
    assert "\n" not in said
