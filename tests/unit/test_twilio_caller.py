"""Signatures: the quick way and twilio-python's agree, and what only the library knows is left to it."""

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from starlette.datastructures import ImmutableMultiDict
from twilio.request_validator import RequestValidator

from engine.settings import Settings
from producers.api.errors import Forbidden
from producers.api.twilio_caller import Call, TwilioCaller

SID = "AC" + "7" * 32
URL = "https://hooks.example.com"
TARGET = "/webhooks/twilio/ws/status?attempt=x"
SIGNER = RequestValidator("token")

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)


def caller(public_url: str = URL) -> TwilioCaller:
    return TwilioCaller(
        Settings(
            _env_file=None,
            public_url=public_url,
            twilio_account_sid=SID,
            twilio_auth_token=SecretStr("token"),
            twilio_from="+15005550006",
        )
    )


def call(pairs: list[tuple[str, str]], signature: str) -> Call:
    return Call(TARGET, signature, urlencode(pairs).encode())


@given(st.dictionaries(TEXT, TEXT, max_size=6))
def test_what_the_library_signs_is_signed_plainly(form: dict[str, str]) -> None:
    form["AccountSid"] = SID
    signed = call(list(form.items()), SIGNER.compute_signature(URL + TARGET, form))
    assert caller()._is_signed_plainly(URL, signed, form, list(form.items()))
    assert caller().form(signed) == form
    with pytest.raises(Forbidden):
        caller().form(call([*form.items(), ("Body", "STOP")], signed.signature or ""))


def test_a_field_that_is_there_twice_is_signed_as_the_library_does() -> None:
    pairs = [("AccountSid", SID), ("MediaUrl", "b"), ("MediaUrl", "a")]
    signature = SIGNER.compute_signature(URL + TARGET, ImmutableMultiDict(pairs))
    assert caller().form(call(pairs, signature)) == {"AccountSid": SID, "MediaUrl": "a"}


@pytest.mark.parametrize(("ours", "theirs"), [(URL, f"{URL}:443"), (f"{URL}:8443", URL)])
def test_a_port_may_be_signed_or_not(ours: str, theirs: str) -> None:
    signature = SIGNER.compute_signature(theirs + TARGET, {"AccountSid": SID})
    assert caller(ours).form(call([("AccountSid", SID)], signature)) == {"AccountSid": SID}
