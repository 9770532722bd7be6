"""The application: routes and errors, put together from what it works with."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from urllib.parse import unquote

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from engine.clock import SequenceClock
from engine.database import Database, Session
from engine.settings import Settings
from engine.wakeups import Wakeups
from producers.api.errors import add_error_handlers
from producers.api.health import Health
from producers.api.in_flight import InFlight
from producers.api.lane import Apart, Lane
from producers.api.transactions import Done, Transactions, once
from producers.api.twilio_caller import TwilioCaller, prefix_of
from producers.api.unsubscribe import UnsubscribePage
from producers.api.webhooks import Webhooks
from producers.delivery_reports import Told, take_report
from producers.inbound import Received, Written, receive, receive_all
from producers.report_group import take_reports
from producers.tenants import Tenants, find_tenant

#: At most so many requests in one transaction. Whoever says STOP waits for what is being begun for it, and those in
#: the same transaction wait with it: few.
MOST_REPORTS = 500
MOST_MESSAGES = 16

#: Threads for those that are done apart.
REPORTS_APART = 4
MESSAGES_APART = 2


class Api:
    """Webhooks, and everything else."""

    def __init__(
        self, settings: Settings, database: Database, wakeups: Wakeups, require_migrated: Callable[[Database], None]
    ) -> None:
        """Put it together. It closes nothing of what it was given."""
        self._rest = FastAPI(title="Cadenza", openapi_url=None, docs_url=None, redoc_url=None)
        add_error_handlers(self._rest)
        self._rest.include_router(Health(database, wakeups, require_migrated).routes())
        self._rest.include_router(UnsubscribePage(database, wakeups).routes())
        with ExitStack() as stack:
            reports = Lane(
                "reports",
                Transactions(database, wakeups, _take_reports, _taking_one(SequenceClock(database))),
                MOST_REPORTS,
                REPORTS_APART,
            )
            stack.callback(reports.close)
            messages = Lane(
                "messages", Transactions(database, wakeups, _receive_all, _receive), MOST_MESSAGES, MESSAGES_APART
            )
            stack.callback(messages.close)
            in_flight = InFlight(database)
            stack.callback(in_flight.close)
            self._webhooks = Webhooks(
                TwilioCaller(settings),
                Tenants(lambda public_id: once(database, lambda session: find_tenant(session, public_id))),
                reports,
                messages,
                in_flight,
                sorted({"", unquote(prefix_of(settings))}),
            )
            self._stack = stack.pop_all()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        place = self._webhooks.place_of(scope)
        if place is None:
            await self._rest(scope, receive, send)
        else:
            await self._webhooks.answer(place, scope, receive, send)

    def close(self) -> None:
        """End its threads, when no request is under way any more."""
        self._stack.close()


def _take_reports(session: Session, items: Sequence[Told]) -> Done[Sequence[Exception | Apart | None]]:
    taken = take_reports(session, items)
    apart = {number: Apart(group) for number, group in taken.left_out.items()}
    return Done([apart.get(number) for number in range(len(items))], taken.wakeups)


def _taking_one(clock: SequenceClock) -> Callable[[Session, Told], Done[None]]:
    return lambda session, item: Done(None, take_report(session, clock, *item))


def _receive_all(session: Session, items: Sequence[Written]) -> Done[Sequence[Received | Exception | Apart]]:
    received = receive_all(session, items)
    return Done(received, [due for one in received for due in one.wakeups])


def _receive(session: Session, item: Written) -> Done[Received]:
    received = receive(session, *item)
    return Done(received, received.wakeups)
