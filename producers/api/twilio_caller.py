"""Whether a request comes from Twilio, and from our account (twilio.com/docs/usage/webhooks/webhooks-security)."""

from base64 import b64encode
from dataclasses import dataclass
from hmac import compare_digest, digest
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import ImmutableMultiDict
from twilio.request_validator import RequestValidator

from engine.errors import Unavailable
from engine.settings import Settings
from producers.api.errors import Forbidden
from producers.api.forms import Form

#: Twilio sends a few dozen.
MOST_FIELDS: Final = 500

SIGNATURE: Final = b"x-twilio-signature"


@dataclass(frozen=True, slots=True)
class Call:
    """A request, as far as its signature is about it."""

    target: str
    """The path and the query, character for character as they were sent."""
    signature: str | None
    body: bytes


class TwilioCaller:
    """Validates signatures against the public URL of the settings, never against the Host header."""

    def __init__(self, settings: Settings) -> None:
        """Prepare; settings that lack something are complained of when somebody calls."""
        self._public_url = None if settings.public_url is None else settings.public_url.rstrip("/")
        self._prefix = prefix_of(settings)
        self._account_sid = settings.twilio_account_sid
        token = settings.twilio_auth_token
        self._key = None if token is None else token.get_secret_value().encode()
        self._validator = None if token is None else _validator(token.get_secret_value())

    def form(self, call: Call) -> Form:
        """Return the fields of a webhook that Twilio signed for our account.

        A signature has no time in it, so a request can be played again: events are taken once (producers/events.py).

        Raises:
            Forbidden: somebody else sent it.
            Unavailable: the settings don't say what to validate it against.
        """
        if self._public_url is None:
            raise Unavailable(
                "CADENZA_PUBLIC_URL is not set: webhooks can't be validated; give the URL that Twilio calls"
            )
        if self._validator is None or self._key is None or self._account_sid is None:
            raise Unavailable(
                "CADENZA_TWILIO_ACCOUNT_SID and CADENZA_TWILIO_AUTH_TOKEN are not set: webhooks can't be validated"
            )
        if call.signature is None:
            raise Forbidden("it has no signature")
        pairs = _parse(call.body)
        form = dict(pairs)
        if not self._is_signed_plainly(self._public_url, call, form, pairs):
            fields, urls = ImmutableMultiDict(pairs), self._urls(self._public_url, call.target)
            validate = self._validator.validate
            if not any(validate(url, fields, call.signature) for url in urls):  # type: ignore[no-untyped-call]
                raise Forbidden("its signature is not Twilio's: is CADENZA_PUBLIC_URL the one that Twilio calls?")
        if not compare_digest(form.get("AccountSid", "").encode(), self._account_sid.encode()):
            raise Forbidden("it is for another account")
        return form

    def _is_signed_plainly(self, public_url: str, call: Call, form: Form, pairs: list[tuple[str, str]]) -> bool:
        """Return whether it is signed as nearly all are: the public URL as it is set, and no field twice."""
        if len(form) != len(pairs) or self._key is None or call.signature is None:
            return False
        signed = public_url + call.target + "".join([name + form[name] for name in sorted(form)])
        own = b64encode(digest(self._key, signed.encode(), "sha1"))
        return compare_digest(own, call.signature.encode())

    def _urls(self, public_url: str, target: str) -> list[str]:
        """Return what Twilio may have called: a proxy with a prefix of its own may leave it in the path, or not."""
        urls = [public_url + target]
        if self._prefix and target.startswith(self._prefix + "/"):
            urls.append(public_url.removesuffix(self._prefix) + target)
        return urls


def prefix_of(settings: Settings) -> str:
    """Return the path of the public URL, as /cadenza; nothing, where it has none."""
    return "" if settings.public_url is None else urlsplit(settings.public_url).path.rstrip("/")


def _validator(token: str) -> RequestValidator:
    return RequestValidator(token)  # type: ignore[no-untyped-call]


def _parse(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:
        raise Forbidden("its body is not a form as Twilio sends it") from None
