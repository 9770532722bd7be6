"""Status callbacks: what Twilio posts to a message's StatusCallback, signed, when it moves on."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, Self, TypeAlias, get_args

import aiohttp
from twilio.request_validator import RequestValidator
from yarl import URL

from deploy.sandbox.account import Account
from deploy.sandbox.message import API_VERSION, Message, Timeline

Result: TypeAlias = Literal["waiting", "answered", "refused", "unanswered"]
RESULTS: Final[tuple[Result, ...]] = get_args(Result)

#: Real seconds, as Twilio's webhooks have them (twilio.com/docs/usage/webhooks/webhooks-connection-overrides).
CONNECT_SECONDS, TOTAL_SECONDS = 5, 15

#: Tries of a callback: one again, when no connection could be made.
TRIES = 2

IN_FLIGHT: Final = 32


@dataclass(frozen=True, slots=True)
class Callback:
    """One request to come."""

    after: float
    """Real seconds after the message was accepted."""
    url: str
    form: dict[str, str]


class StatusCallbacks:
    """Plans the callbacks of each message and posts them when their time comes."""

    def __init__(self, account: Account, timeline: Timeline, *, enabled: bool) -> None:
        """Prepare; `async with` starts it."""
        self.enabled = enabled
        self.counts: Counter[Result] = Counter()
        self._account = account
        self._signer = RequestValidator(account.token)  # type: ignore[no-untyped-call]
        self._timeline = timeline
        self._due: asyncio.Queue[Callback] = asyncio.Queue()
        self._workers: list[asyncio.Task[None]] = []

    def follow(self, message: Message) -> None:
        """Plan the callbacks of a message that was just accepted."""
        if not self.enabled or message.status_callback is None:
            return
        loop = asyncio.get_running_loop()
        for callback in self.plan(message, message.status_callback):
            self.counts["waiting"] += 1
            loop.call_later(callback.after, self._due.put_nowait, callback)

    def plan(self, message: Message, url: str) -> list[Callback]:
        """What will be posted for a message. The first status, `queued`, is never told by a callback."""
        return [
            Callback(after, url, self._form(message, status))
            for after, status in ((self._timeline.sent, "sent"), (self._timeline.delivered, "delivered"))
        ]

    def _form(self, message: Message, status: str) -> dict[str, str]:
        form = {
            "AccountSid": self._account.sid,
            "ApiVersion": API_VERSION,
            "From": message.sent_from(status) or "",
            "MessageSid": message.sid,
            "MessageStatus": status,
            "SmsSid": message.sid,
            "SmsStatus": status,
            "To": message.to,
        }
        if message.messaging_service_sid is not None:
            form["MessagingServiceSid"] = message.messaging_service_sid
        return form

    async def _work(self, session: aiohttp.ClientSession) -> None:
        while True:
            callback = await self._due.get()
            result = await self._post(session, callback)
            self.counts["waiting"] -= 1
            self.counts[result] += 1

    async def _post(self, session: aiohttp.ClientSession, callback: Callback) -> Result:
        signature = self._signer.compute_signature(callback.url, callback.form)  # type: ignore[no-untyped-call]
        headers = {"X-Twilio-Signature": signature, "User-Agent": "TwilioProxy/1.1"}
        url = URL(callback.url, encoded=True)  # as it was signed, character for character
        for _ in range(TRIES):
            try:
                # a redirect could lead away from this machine
                async with session.post(url, data=callback.form, headers=headers, allow_redirects=False) as response:
                    return "answered" if response.status < 300 else "refused"
            except aiohttp.ClientConnectorError:
                continue
            except (aiohttp.ClientError, TimeoutError):
                return "unanswered"
        return "unanswered"

    async def __aenter__(self) -> Self:
        """Start."""
        session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=TOTAL_SECONDS, sock_connect=CONNECT_SECONDS),
            connector=aiohttp.TCPConnector(limit=IN_FLIGHT),
        )
        self._session = session
        self._workers = [asyncio.create_task(self._work(session)) for _ in range(IN_FLIGHT)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop; callbacks that were not posted are lost, as they are when a webhook's host is down."""
        for worker in self._workers:
            worker.cancel()
        ended = await asyncio.gather(*self._workers, return_exceptions=True)
        await self._session.close()
        for failure in ended:
            if isinstance(failure, Exception):
                raise failure
