"""Whether a request comes from Twilio, and from our account (twilio.com/docs/usage/webhooks/webhooks-security)."""

from hmac import compare_digest
from typing import Final, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from fastapi import Request
from starlette.datastructures import ImmutableMultiDict
from twilio.request_validator import RequestValidator

from engine.errors import Unavailable
from engine.settings import Settings
from producers.api.errors import Forbidden

Form: TypeAlias = "ImmutableMultiDict[str, str]"

#: Twilio sends a few dozen.
MOST_FIELDS: Final = 500

SIGNATURE: Final = "X-Twilio-Signature"


class TwilioCaller:
    """Validates signatures against the public URL of the settings, never against the Host header."""

    def __init__(self, settings: Settings) -> None:
        """Prepare; settings that lack something are complained of when somebody calls."""
        self._public_url = None if settings.public_url is None else settings.public_url.rstrip("/")
        self._prefix = prefix_of(settings)
        self._account_sid = settings.twilio_account_sid
        token = settings.twilio_auth_token
        self._validator = None if token is None else _validator(token.get_secret_value())

    def form(self, request: Request, body: bytes) -> Form:
        """The fields of a webhook that Twilio signed for our account.

        A signature has no time in it, so a request can be played again: events are taken once (producers/events.py).

        Raises:
            Forbidden: somebody else sent it.
            Unavailable: the settings don't say what to validate it against.
        """
        if self._public_url is None:
            raise Unavailable(
                "CADENZA_PUBLIC_URL is not set: webhooks can't be validated; give the URL that Twilio calls"
            )
        if self._validator is None or self._account_sid is None:
            raise Unavailable(
                "CADENZA_TWILIO_ACCOUNT_SID and CADENZA_TWILIO_AUTH_TOKEN are not set: webhooks can't be validated"
            )
        signature = request.headers.get(SIGNATURE)
        if signature is None:
            raise Forbidden("it has no signature")
        fields = _parse(body)
        validator, urls = self._validator, self._urls(self._public_url, _target(request))
        if not any(validator.validate(url, fields, signature) for url in urls):  # type: ignore[no-untyped-call]
            raise Forbidden("its signature is not Twilio's: is CADENZA_PUBLIC_URL the one that Twilio calls?")
        if not compare_digest(fields.get("AccountSid", "").encode(), self._account_sid.encode()):
            raise Forbidden("it is for another account")
        return fields

    def _urls(self, public_url: str, target: str) -> list[str]:
        """What Twilio may have called: a proxy that has a prefix of its own may leave it in the path, or not."""
        urls = [public_url + target]
        if self._prefix and target.startswith(self._prefix + "/"):
            urls.append(public_url.removesuffix(self._prefix) + target)
        return urls


def prefix_of(settings: Settings) -> str:
    """The path of the public URL, as /cadenza; nothing, where it has none."""
    return "" if settings.public_url is None else urlsplit(settings.public_url).path.rstrip("/")


def _validator(token: str) -> RequestValidator:
    return RequestValidator(token)  # type: ignore[no-untyped-call]


def _target(request: Request) -> str:
    """The path and the query, character for character as they were sent."""
    path: bytes = request.scope["raw_path"]
    query: bytes = request.scope["query_string"]
    return (path + b"?" + query if query else path).decode("latin-1")


def _parse(body: bytes) -> Form:
    try:
        text = body.decode()
        return ImmutableMultiDict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS))
    except ValueError:
        raise Forbidden("its body is not a form as Twilio sends it") from None
