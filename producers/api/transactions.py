"""Transactions of requests: many in one, each as often as it takes, and each answered for itself."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeAlias, TypeVar

import psycopg
import structlog
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from engine.database import Database, Session, first_line
from engine.errors import CadenzaError, Unavailable
from engine.wakeups import Due, Wakeups, WakeupsUnavailable
from producers.api.lane import Apart, Work

Item = TypeVar("Item")
Result = TypeVar("Result")
Outcome = TypeVar("Outcome")

log = structlog.get_logger(__name__)

#: Twilio waits for 15 seconds and does not call again after an error: what fails for now is tried again meanwhile.
PATIENCE: Final = 8.0

#: Classes of errors that pass: lost connections, conflicts, lack of resources, a server that ends or starts.
PASSING: Final = ("08", "40", "53", "55", "57")

#: Of these, what one row of a group may be the cause of: a conflict, a lock that somebody holds, a time-out.
OF_ONE: Final = ("40", "55", "57014")


@dataclass(frozen=True, slots=True)
class Done(Generic[Result]):
    """The result of a transaction, and the wake-ups that follow."""

    result: Result
    wakeups: Sequence[Due] = ()


Together: TypeAlias = Callable[[Session, Sequence[Item]], Done[Sequence[Result | Exception | Apart]]]
Alone: TypeAlias = Callable[[Session, Item], Done[Result]]


class Transactions(Work[Item, Result]):
    """Does requests in transactions: the work of a lane (producers/api/lane.py)."""

    def __init__(
        self, database: Database, wakeups: Wakeups, together: Together[Item, Result], alone: Alone[Item, Result]
    ) -> None:
        """Prepare."""
        self._database = database
        self._wakeups = wakeups
        self._together = together
        self._alone = alone

    def together(self, items: Sequence[Item], since: float) -> Sequence[Result | Exception | Apart]:
        """Do requests in one transaction; where one of them stands in the way, in smaller ones, and it alone fails."""
        try:
            return self._done(lambda session: self._together(session, items), since, _passes_for_all)
        except CadenzaError as error:
            return [error] * len(items)
        except Exception as error:  # noqa: BLE001 (each request is told of its own)
            if len(items) > 1:
                half = len(items) // 2
                return [*self.together(items[:half], since), *self.together(items[half:], since)]
            return [Apart(0) if _passes(error) else error]

    def apart(self, item: Item, since: float) -> Result:
        """Do one request in a transaction of its own, again when it failed for now.

        Raises:
            Unavailable: it did not come about in time.
            psycopg.Error: Postgres refuses it.
        """
        return self._done(lambda session: self._alone(session, item), since, _passes)

    def _done(
        self, work: Callable[[Session], Done[Outcome]], since: float, passes: Callable[[BaseException], bool]
    ) -> Outcome:
        done = persistently(self._database, work, since, passes)
        self._schedule(done.wakeups)
        return done.result

    def _schedule(self, wakeups: Sequence[Due]) -> None:
        try:
            if wakeups:
                self._wakeups.schedule(wakeups)
        except WakeupsUnavailable as error:
            log.warning("wake-ups not scheduled: the sweeper will make up for them", error=first_line(error))


def once(database: Database, work: Callable[[Session], Result]) -> Result:
    """Work in one transaction, again when it failed for now."""
    return persistently(database, work, time.monotonic(), _passes)


def persistently(
    database: Database,
    work: Callable[[Session], Result],
    since: float,
    passes: Callable[[BaseException], bool],
) -> Result:
    """Work in one transaction, again when it failed for now.

    Raises:
        Unavailable: it did not come about in time.
    """

    def in_transaction() -> Result:
        with database.transaction() as session:
            return work(session)

    again = Retrying(
        retry=retry_if_exception(passes),
        stop=stop_after_delay(max(0.0, since + PATIENCE - time.monotonic())),
        wait=wait_random(0.02, 0.2),
        reraise=True,
    )
    try:
        return again(in_transaction)
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        if passes(error):
            raise Unavailable(f"Postgres: {type(error).__name__}") from None
        raise


def _passes(error: BaseException) -> bool:
    """Return whether the same may succeed a moment later."""
    if isinstance(error, psycopg.InterfaceError):
        return True
    return isinstance(error, psycopg.OperationalError) and (error.sqlstate or PASSING[0]).startswith(PASSING)


def _passes_for_all(error: BaseException) -> bool:
    """Return whether the same group may succeed a moment later: no smaller one would do better now."""
    return _passes(error) and not (getattr(error, "sqlstate", None) or "").startswith(OF_ONE)
