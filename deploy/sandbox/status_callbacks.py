"""Status callbacks: what Twilio posts to a message's StatusCallback, signed, when it moves on."""

import asyncio
from collections import Counter
from types import TracebackType
from typing import Final, Literal, Self, TypeAlias, get_args

from deploy.sandbox.account import Account
from deploy.sandbox.callback_habits import Callback, CallbackHabits
from deploy.sandbox.message import API_VERSION, Message, Timeline
from deploy.sandbox.webhook import IN_FLIGHT, Webhook, Webhooks

Result: TypeAlias = Literal["waiting", "answered", "refused", "unanswered"]
RESULTS: Final[tuple[Result, ...]] = get_args(Result)


class StatusCallbacks:
    """Plans the callbacks of each message and posts them when their time comes."""

    def __init__(self, account: Account, timeline: Timeline, webhooks: Webhooks, *, enabled: bool) -> None:
        """Prepare; `async with` starts it."""
        self.enabled = enabled
        self.habits = CallbackHabits()
        self.counts: Counter[Result] = Counter()
        self._account = account
        self._timeline = timeline
        self._webhooks = webhooks
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
        return self.habits.apply(
            [
                Callback(after, Webhook(url, self._form(message, status)))
                for after, status in ((self._timeline.sent, "sent"), (self._timeline.delivered, "delivered"))
            ]
        )

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

    async def _work(self) -> None:
        while True:
            callback = await self._due.get()
            result = await self._post(callback.webhook)
            self.counts["waiting"] -= 1
            self.counts[result] += 1

    async def _post(self, webhook: Webhook) -> Result:
        reply = await self._webhooks.post(webhook)
        if reply is None:
            return "unanswered"
        return "answered" if reply.status < 300 else "refused"

    async def __aenter__(self) -> Self:
        """Start."""
        self._workers = [asyncio.create_task(self._work()) for _ in range(IN_FLIGHT)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop; callbacks that were not posted are lost, as they are when a webhook's host is down."""
        for worker in self._workers:
            worker.cancel()
        ended = await asyncio.gather(*self._workers, return_exceptions=True)
        for failure in ended:
            if isinstance(failure, Exception):
                raise failure
