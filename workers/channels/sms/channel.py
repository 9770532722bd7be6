"""The SMS channel: hands messages to Twilio."""

import asyncio
import json
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, Self

from aiohttp import ClientError
from twilio.base.deserialize import rfc2822_datetime
from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.base.version import Version
from twilio.http.response import Response
from urllib3.exceptions import HTTPError

from engine.database import first_line
from engine.errors import InvalidInput, Unavailable
from engine.rules.answers import masked, retry_after_seconds, twilio_outcome
from engine.rules.doubt import Sighting
from engine.rules.outcome import Outcome
from engine.settings import Settings
from schema.states import AttemptOutcome
from workers.channels.channel import Message, Sms
from workers.channels.deadlines import Deadlines
from workers.channels.sms.api import Api
from workers.channels.sms.asking import AskingHttp, messages_of
from workers.channels.sms.look_up import look_up
from workers.channels.sms.posting import Answer, NotConnected, Posting
from workers.channels.sms.request import MessageRequest

#: Where Twilio is, unless CADENZA_TWILIO_API_URL says otherwise.
TWILIO: Final = "https://api.twilio.com"

UNAUTHORIZED: Final = 401

#: What is raised for an answer whose JSON is not what Twilio documents, or is no JSON.
_NOT_UNDERSTOOD: Final = (ValueError, TypeError, AttributeError, LookupError, RecursionError)

#: The dates in a message of Twilio's.
_DATES: Final = ("date_created", "date_sent", "date_updated")


class SmsChannel:
    """Sends the requests that twilio-python would send, over connections that are kept; asks through twilio-python."""

    def __init__(
        self, account_sid: str, auth_token: str, sender: dict[str, str], base_url: str, timeout: float
    ) -> None:
        """Prepare the channel; nothing is connected yet. `timeout` is in real seconds.

        Raises:
            InvalidInput: the URL or the proxy's can't be used.
        """
        api = Api.at(base_url)
        self._base_url = base_url
        self._request = MessageRequest(account_sid, auth_token, sender, base_url)
        self._posting = Posting(api, self._request.url, self._request.headers, timeout)
        self._deadlines = Deadlines(timeout)
        self._asking = AskingHttp(api, timeout)
        self._messages = messages_of(account_sid, auth_token, base_url, self._asking)

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """The channel that the settings describe.

        Raises:
            InvalidInput: they don't describe one.
        """
        if settings.twilio_account_sid is None or settings.twilio_auth_token is None:
            raise InvalidInput(
                "CADENZA_TWILIO_ACCOUNT_SID and CADENZA_TWILIO_AUTH_TOKEN are not set:"
                " give Twilio's, or start `cadenza sandbox`"
            )
        token = settings.twilio_auth_token.get_secret_value()
        if not (settings.twilio_account_sid.isalnum() and (settings.twilio_account_sid + token).isascii()):
            raise InvalidInput("CADENZA_TWILIO_ACCOUNT_SID or CADENZA_TWILIO_AUTH_TOKEN is not what Twilio gives out")
        if settings.twilio_messaging_service_sid is not None:
            sender = {"messaging_service_sid": settings.twilio_messaging_service_sid}
        elif settings.twilio_from is not None:
            sender = {"from_": settings.twilio_from}
        else:
            raise InvalidInput("CADENZA_TWILIO_FROM or CADENZA_TWILIO_MESSAGING_SERVICE_SID is not set: give one")
        return cls(
            settings.twilio_account_sid,
            token,
            sender,
            settings.twilio_api_url or TWILIO,
            settings.provider_timeout,
        )

    async def send(self, message: Message) -> Outcome:
        """Hand one SMS over; see `Sender.send`."""
        if not isinstance(message, Sms):
            raise TypeError(f"the SMS channel can't send {type(message).__name__}")
        deadline = self._deadlines.start()
        try:
            return _outcome(await self._posting.post(self._request.body(message)))
        except NotConnected as error:
            return Outcome(AttemptOutcome.HELD, detail=masked(f"no connection: {error}"))
        except (ClientError, OSError, ValueError) as error:
            return Outcome(AttemptOutcome.UNANSWERED, detail=f"no answer: {type(error).__name__}")
        except asyncio.CancelledError:
            if not deadline.expired:
                raise
            return Outcome(AttemptOutcome.UNANSWERED, detail="no answer: it takes too long")
        finally:
            deadline.end()

    def look_up(self, message: Message, since: datetime) -> Sighting:
        """Return what Twilio knows of a message; see `Channel.look_up`."""
        if not isinstance(message, Sms):
            raise TypeError(f"the SMS channel can't look up {type(message).__name__}")
        return look_up(self._messages, self._asking, message, since)

    def check(self) -> str:
        """Read one message of the account; see `Channel.check`."""
        http = self._asking
        try:
            self._messages.list(limit=1, page_size=1)
        except (TwilioException, HTTPError, OSError, *_NOT_UNDERSTOOD) as error:
            said = f"answered {http.status}" if http.status else f"can't be reached: {first_line(error)}"
            if http.status == UNAUTHORIZED:
                said = "refuses CADENZA_TWILIO_ACCOUNT_SID and CADENZA_TWILIO_AUTH_TOKEN (20003)"
            raise Unavailable(f"Twilio at {self._base_url} {masked(said)}") from None
        return f"Twilio at {self._base_url} takes the credentials"

    async def close(self) -> None:
        """Close the connections."""
        self._deadlines.close()
        self._asking.close()
        await self._posting.close()


def _outcome(answer: Answer) -> Outcome:
    """Return what an answer means."""
    if not 200 <= answer.status < 300:
        return _refusal(answer)
    try:
        return Outcome(AttemptOutcome.ACCEPTED, provider_id=_sid(json.loads(answer.body)))
    except _NOT_UNDERSTOOD:
        return Outcome(
            AttemptOutcome.UNANSWERED,
            error_code=str(answer.status),
            detail="the answer was good, but not one of Twilio's",
        )


def _sid(document: Any) -> str:
    """Return the SID of the message that was made.

    Raises:
        ValueError, TypeError, AttributeError: this is no message of Twilio's.
    """
    for name in _DATES:
        _check_date(document.get(name))
    sid = document.get("sid")
    if not isinstance(sid, str) or not sid:
        raise ValueError("a message has a SID")
    return sid


@lru_cache(maxsize=64)
def _check_date(date: str | None) -> None:
    rfc2822_datetime(date)  # type: ignore[arg-type]  # as twilio-python reads it


def _refusal(answer: Answer) -> Outcome:
    """Return what an answer means that is not a good one, as twilio-python reads it."""
    text = answer.body.decode("utf-8", "replace")
    refusal = Version.exception("POST", "", Response(answer.status, text), "")
    code = refusal.code if isinstance(refusal.code, int) and refusal.code != answer.status else None
    wait = retry_after_seconds(answer.retry_after, answer.date)
    return twilio_outcome(answer.status, code, _said(refusal), wait)


def _said(refusal: TwilioRestException | TwilioServiceException) -> str:
    """Return the provider's words, without those that twilio-python puts before them."""
    if isinstance(refusal, TwilioServiceException):
        return f"{refusal.title}: {refusal.detail}" if refusal.detail else str(refusal.title)
    return str(refusal.msg).removeprefix(": ")
