"""The SMS channel: hands messages to Twilio."""

from datetime import datetime
from http.client import HTTPException
from threading import local
from typing import Any, Final, Self

from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.rest import Client
from twilio.rest.api.v2010.account.message import MessageList
from urllib3.exceptions import ClosedPoolError, HTTPError

from engine.database import first_line
from engine.errors import InvalidInput, Unavailable
from engine.rules.answers import masked, twilio_outcome
from engine.rules.doubt import Sighting
from engine.rules.outcome import Outcome
from engine.settings import Settings
from schema.states import AttemptOutcome
from workers.channels.channel import Message, Sms
from workers.channels.sms.connections import Connections, NotConnected
from workers.channels.sms.http import TwilioHttp
from workers.channels.sms.look_up import look_up

#: Where Twilio is, unless CADENZA_TWILIO_API_URL says otherwise.
TWILIO: Final = "https://api.twilio.com"

UNAUTHORIZED: Final = 401

#: What twilio-python raises for an answer whose JSON is not what Twilio documents, or is no JSON.
_NOT_UNDERSTOOD: Final = (ValueError, TypeError, AttributeError, LookupError, RecursionError)


class _Hand(local):
    """What one thread sends with: twilio-python's clients are not promised to be safe for several (its issue 580)."""

    def __init__(self, account_sid: str, auth_token: str, base_url: str, connections: Connections) -> None:
        self.http = TwilioHttp(connections)
        # With an environment of its own, since TWILIO_REGION and TWILIO_EDGE would change the host behind our back.
        client = Client(  # type: ignore[no-untyped-call]
            account_sid, auth_token, http_client=self.http, environment={"TWILIO_REGION": ""}
        )
        client.api.base_url = base_url
        self.messages: MessageList = client.messages


class SmsChannel:
    """Sends through twilio-python, with a client for each thread and one pool of connections for all."""

    def __init__(
        self, account_sid: str, auth_token: str, sender: dict[str, str], base_url: str, timeout: float, in_flight: int
    ) -> None:
        """Prepare the channel; nothing is connected yet. `timeout` is in real seconds.

        Raises:
            InvalidInput: the URL or the proxy's can't be used.
        """
        self._sender = sender
        self._base_url = base_url
        self._connections = Connections(base_url, timeout, in_flight)
        self._hand = _Hand(account_sid, auth_token, base_url, self._connections)

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
            settings.in_flight,
        )

    def send(self, message: Message) -> Outcome:
        """Hand one text message over; see `Channel.send`."""
        if not isinstance(message, Sms):
            raise TypeError(f"the SMS channel can't send {type(message).__name__}")
        more: dict[str, Any] = {}
        if message.media_urls:
            more["media_url"] = list(message.media_urls)
        if message.status_callback is not None:
            more["status_callback"] = message.status_callback
        http = self._hand.http
        try:
            sid = self._hand.messages.create(to=message.to, body=message.body, **more, **self._sender).sid
        except (NotConnected, ClosedPoolError) as error:
            return Outcome(AttemptOutcome.HELD, detail=masked(f"no connection: {error}"))
        except (TwilioRestException, TwilioServiceException) as refusal:
            code = refusal.code if isinstance(refusal.code, int) and refusal.code != http.status else None
            return twilio_outcome(http.status, code, _said(refusal), http.retry_after)
        except (HTTPError, HTTPException, OSError, TwilioException) as error:
            return Outcome(AttemptOutcome.UNANSWERED, detail=f"no answer: {type(error).__name__}")
        except _NOT_UNDERSTOOD:
            if not http.status:
                raise
            return _not_understood(http.status)
        if not isinstance(sid, str) or not sid:
            return _not_understood(http.status)
        return Outcome(AttemptOutcome.ACCEPTED, provider_id=sid)

    def look_up(self, message: Message, since: datetime) -> Sighting:
        """What Twilio knows of a message; see `Channel.look_up`."""
        if not isinstance(message, Sms):
            raise TypeError(f"the SMS channel can't look up {type(message).__name__}")
        return look_up(self._hand.messages, self._hand.http, message, since)

    def check(self) -> str:
        """Read one message of the account; see `Channel.check`."""
        http = self._hand.http
        try:
            self._hand.messages.list(limit=1, page_size=1)
        except (TwilioException, HTTPError, OSError, *_NOT_UNDERSTOOD) as error:
            said = f"answered {http.status}" if http.status else f"can't be reached: {first_line(error)}"
            if http.status == UNAUTHORIZED:
                said = "refuses CADENZA_TWILIO_ACCOUNT_SID and CADENZA_TWILIO_AUTH_TOKEN (20003)"
            raise Unavailable(f"Twilio at {self._base_url} {masked(said)}") from None
        return f"Twilio at {self._base_url} takes the credentials"

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()


def _said(refusal: TwilioRestException | TwilioServiceException) -> str:
    """The provider's words, without those that twilio-python puts before them."""
    if isinstance(refusal, TwilioServiceException):
        return f"{refusal.title}: {refusal.detail}" if refusal.detail else str(refusal.title)
    return str(refusal.msg).removeprefix("Unable to create record: ")


def _not_understood(status: int) -> Outcome:
    return Outcome(
        AttemptOutcome.UNANSWERED, error_code=str(status), detail="the answer was good, but not one of Twilio's"
    )
