"""The webhook channel: tells web servers, and what their answers mean."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from engine.rules.addresses import Opening
from engine.rules.answers import masked, retry_after_seconds
from engine.rules.outcome import Outcome
from engine.rules.webhooks import headers
from schema.states import AttemptOutcome
from workers.channels.channel import Call, Message
from workers.channels.tls import client_context
from workers.channels.webhook.call import Answer, NoAnswer, NotConnected, post
from workers.channels.webhook.place import NotFound, Refused, find


class WebhookChannel:
    """Sends calls, each over a connection of its own, in threads: they are few, and names are looked up."""

    def __init__(self, openings: Sequence[Opening], timeout: float, most: int) -> None:
        """Prepare for at most so many at once.

        `timeout` is in real seconds, for all of a call but the look-up of its name.
        """
        self._threads = ThreadPoolExecutor(most, "webhook")
        self._openings = openings
        self._timeout = timeout
        self._context = client_context()

    async def send(self, message: Message) -> Outcome:
        """Make one call; see `Sender.send`."""
        if not isinstance(message, Call):
            raise TypeError(f"the webhook channel can't send {type(message).__name__}")
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._call, message)

    def close(self) -> None:
        """End the threads, when nothing is sent any more."""
        self._threads.shutdown(wait=False)

    def _call(self, message: Call) -> Outcome:
        content = message.body.encode()
        try:
            place = find(message.to, self._openings)
            signed = headers(message.secrets, message.key, int(time.time()), content)
            return meaning(post(place, content, signed, self._context, self._timeout))
        except Refused as problem:
            return Outcome(AttemptOutcome.REFUSED, detail=str(problem))
        except (NotFound, NotConnected) as problem:
            return Outcome(AttemptOutcome.HELD, detail=masked(str(problem)))
        except NoAnswer as problem:
            return Outcome(AttemptOutcome.UNANSWERED, detail=masked(str(problem)))


def meaning(answer: Answer) -> Outcome:
    """What an answer means: taken, tried again, or failed."""
    code = str(answer.status)
    wait = retry_after_seconds(answer.retry_after, answer.date)
    if 200 <= answer.status < 300:
        return Outcome(AttemptOutcome.ACCEPTED, detail=f"the receiver answered {code}")
    if answer.status == 429:
        return Outcome(AttemptOutcome.HELD, error_code=code, detail="the receiver answered 429", retry_after=wait)
    if answer.status >= 500:
        return Outcome(
            AttemptOutcome.DEFERRED, error_code=code, detail=f"the receiver answered {code}", retry_after=wait
        )
    if 300 <= answer.status < 400:
        return Outcome(
            AttemptOutcome.REFUSED, error_code=code, detail=f"the receiver answered {code}: no redirect is followed"
        )
    return Outcome(AttemptOutcome.REFUSED, error_code=code, detail=f"the receiver answered {code}")
