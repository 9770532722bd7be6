"""The token of an attempt: names it, and can't be made without the workspace's secret."""

import string
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.rules.token import read, sign, status_callback_url

ROWS = st.integers(1, 2**63 - 1)
FENCES = st.integers(0, 2**31 - 1)
SECRETS = st.text(min_size=1)
URL_SAFE = string.ascii_letters + string.digits + "-_"


@given(secret=SECRETS, row=ROWS, fence=FENCES)
def test_it_names_its_attempt(secret: str, row: int, fence: int) -> None:
    token = sign(secret, row, fence)
    assert read(secret, token) == (row, fence)
    assert set(token) <= set(URL_SAFE)


@given(row=ROWS, fence=FENCES, place=st.integers(0, 58), letter=st.sampled_from(URL_SAFE + "=+/é \0"))
def test_no_other_token_is_taken(row: int, fence: int, place: int, letter: str) -> None:
    token = sign("secret", row, fence)
    other = token[:place] + letter + token[place + 1 :]
    assert read("secret", other) == ((row, fence) if other == token else None)
    assert read("another", token) is None


@given(st.text() | st.text(st.sampled_from(URL_SAFE), min_size=59, max_size=59))
def test_nonsense_is_no_token(token: str) -> None:
    assert read("secret", token) is None


@pytest.mark.parametrize("change", [lambda token: token + "=", lambda token: token[:-1], lambda token: " " + token])
def test_it_has_one_spelling(change: Callable[[str], str]) -> None:
    assert read("secret", change(sign("secret", 7, 1))) is None


@pytest.mark.parametrize("public_url", ["https://example.com/cadenza", "https://example.com/cadenza/"])
def test_the_url_that_is_called_back(public_url: str) -> None:
    url = status_callback_url(public_url, "ws_1", "secret", 7, 1)
    assert url == f"https://example.com/cadenza/webhooks/twilio/ws_1/status?attempt={sign('secret', 7, 1)}"
