"""The wait of a STOP: it is answered when nothing is in flight to its phone."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Final

import structlog

from engine.database import GONE, Database, Session, first_line
from engine.outbox.in_flight import HandOver, Phone, claims_under_way, hand_overs_to, still_in_flight

log = structlog.get_logger(__name__)

#: Real seconds between two looks; one look is for all who wait.
PAUSE: Final = 0.015

#: Twilio waits for 15 real seconds, of which the opt-out itself has taken some.
LONGEST: Final = 10.0


@dataclass(slots=True, eq=False)
class _Waiting:
    """A STOP that is committed. First it waits for claims that may not have seen it, then for what they began."""

    phone: Phone
    ended: "asyncio.Future[None]"
    claims: set[str] | None = None
    """Those that were under way at the first look and still are; None before it."""
    hand_overs: set[HandOver] | None = None
    """None while claims are under way. It only shrinks: no new claim takes a row for this phone."""

    @property
    def is_over(self) -> bool:
        """Return whether nothing is in flight any more."""
        return self.hand_overs is not None and not self.hand_overs


class InFlight:
    """Waits for what is in flight. A wait holds no thread and no connection between two looks."""

    def __init__(self, database: Database) -> None:
        """Prepare; nothing is looked at while nobody waits."""
        self._database = database
        self._thread = ThreadPoolExecutor(1, "in-flight")
        self._waiting: list[_Waiting] = []
        self._looking: asyncio.Task[None] | None = None

    async def wait(self, phone: Phone, until: float) -> None:
        """Return when nothing is in flight to the phone, whose opt-out is committed; at the latest at `until`."""
        waiting = _Waiting(phone, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_again())
        try:
            await asyncio.wait([waiting.ended], timeout=max(0.0, until - time.monotonic()))
            if waiting.ended.done():
                return waiting.ended.result()
        finally:
            waiting.ended.cancel()  # nobody looks for it any more
        log.warning(
            "a STOP is answered while something is in flight: a worker does not settle it, or the database is gone",
            workspace=phone.workspace_id,
            rows=sorted(hand_over.row_id for hand_over in waiting.hand_overs or ()),
        )
        return None

    def close(self) -> None:
        """End the thread; whoever waits is not answered."""
        self._thread.shutdown()

    async def _look_again(self) -> None:
        """Look until nobody waits."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            now = list(self._waiting)
            try:
                await loop.run_in_executor(self._thread, self._look, now)
            except GONE as error:
                log.warning("what is in flight can't be seen: the database is gone", error=first_line(error))
            except BaseException as error:
                self._give_up(error)
                raise
            self._end(now)
            await asyncio.sleep(PAUSE)

    def _look(self, waiting: Sequence[_Waiting]) -> None:
        """Look for all of them together. The claims first: what they have begun meanwhile is seen afterwards."""
        with self._database.transaction() as session:
            _look_at_claims(session, [one for one in waiting if one.hand_overs is None])
            _look_at_hand_overs(session, [one for one in waiting if one.hand_overs])

    def _end(self, looked: Sequence[_Waiting]) -> None:
        """Tell those whose wait is over, and forget those who have gone."""
        for one in looked:
            if one.is_over and not one.ended.done():
                one.ended.set_result(None)
        self._waiting = [one for one in self._waiting if not one.ended.done()]

    def _give_up(self, error: BaseException) -> None:
        for one in self._waiting:
            if not one.ended.done():
                one.ended.set_exception(error)
        self._waiting.clear()


def _look_at_claims(session: Session, waiting: Sequence[_Waiting]) -> None:
    if not waiting:
        return
    under_way = claims_under_way(session)
    for one in waiting:
        one.claims = under_way if one.claims is None else one.claims & under_way
    through = [one for one in waiting if not one.claims]
    if through:
        found = hand_overs_to(session, list({one.phone for one in through}))
        for one in through:
            one.hand_overs = set(found[one.phone])


def _look_at_hand_overs(session: Session, waiting: Sequence[_Waiting]) -> None:
    if waiting:
        left = still_in_flight(session, list(set(chain.from_iterable(one.hand_overs or () for one in waiting))))
        for one in waiting:
            one.hand_overs = (one.hand_overs or set()) & left
