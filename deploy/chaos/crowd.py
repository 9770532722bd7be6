"""The crowd: enrolls the people of a storm when their time comes, and lets them write back, whatever happens meanwhile.

Who enrolls is a backend service with a key for each event, which it repeats until it is answered. A reply is told to
the webhook until that answers, as people say it again who go on getting messages.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Final, Self

import psycopg

from deploy.chaos.people import Person, Reply
from deploy.chaos.stage import Stage
from engine.database import Database
from engine.errors import Unavailable
from engine.wakeups import Wakeups
from producers.enroll_event import COLLISIONS, EnrollEvent, publish

#: Real seconds before something is tried again.
AGAIN: Final = 0.2

#: So many people can write at the same time.
WRITERS: Final = 3

FAILED_FOR_NOW: Final = (*COLLISIONS, psycopg.OperationalError, psycopg.InterfaceError, Unavailable)


class Crowd:
    """Runs in threads from the beginning of its `with` block, until all is done or the block ends."""

    def __init__(self, stage: Stage, people: Sequence[Person], workspaces: Mapping[str, str]) -> None:
        """Prepare; `workspaces` are their public ids by their keys."""
        self.repeats = 0
        """Enroll events that had to be repeated."""
        self.answers: Counter[int] = Counter()
        """What the webhook answered to replies that are genuine, by HTTP status."""
        self.forged: Counter[int] = Counter()
        """And to those that are not."""
        self.stopped: set[Person] = set()
        """Whose STOP was answered."""
        self.enrolled = 0
        self._stage = stage
        self._people = people
        self._workspaces = workspaces
        self._replies = sorted(
            ((person.reply, person) for person in people if person.reply is not None), key=lambda pair: pair[0].at
        )
        self._next = iter(self._replies)
        self._lock = Lock()
        self._stop = Event()
        self._began = 0.0
        self._threads = [Thread(target=self._enroll_all, name="enrolls", daemon=True)]
        self._threads += [Thread(target=self._write_all, name=f"writes {n}", daemon=True) for n in range(WRITERS)]

    @property
    def done(self) -> bool:
        """Whether all are enrolled and all replies answered."""
        return not any(thread.is_alive() for thread in self._threads)

    def __enter__(self) -> Self:
        """Start."""
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _enroll_all(self) -> None:
        settings = self._stage.settings
        assert settings.database_url is not None and settings.redis_url is not None  # noqa: S101 (the stage has both)
        database = Database(settings.database_url.get_secret_value(), size=1, name="cadenza chaos crowd")
        wakeups = Wakeups(settings.redis_url.get_secret_value())
        try:
            for person in self._people:
                enroll = partial(self._enroll, database, wakeups, person)
                if not (self._sleep_until(person.at) and self._persist(enroll)):
                    return
                self.enrolled += 1
        finally:
            database.close()
            wakeups.close()

    def _enroll(self, database: Database, wakeups: Wakeups, person: Person) -> bool:
        event = EnrollEvent(
            person.sequence,
            external_id=person.name,
            phone=person.phone,
            email=person.email,
            idempotency_key=f"chaos {person.name}",
            workspace=person.workspace,
        )
        try:
            publish(database, wakeups, event)
        except FAILED_FOR_NOW:
            self.repeats += 1
            return False
        return True

    def _write_all(self) -> None:
        while True:
            with self._lock:
                reply, person = next(self._next, (None, None))
            if reply is None or person is None or not self._sleep_until(reply.at):
                return
            if not self._persist(partial(self._write, reply, person)):
                return

    def _write(self, reply: Reply, person: Person) -> bool:
        """Let somebody write; whether that is done with."""
        url = f"{self._stage.settings.public_url}/webhooks/twilio/{self._workspaces[person.workspace]}/inbound"
        try:
            inbound = self._stage.sandbox.client.inbound(person.phone, reply.text, url, forge=reply.forged)
        except Unavailable:
            return False
        answered = [answer.status for answer in inbound.answers if answer is not None]
        with self._lock:
            (self.forged if reply.forged else self.answers).update(answered)
            if reply.forged:
                return bool(answered)
            well = any(status < 300 for status in answered)
            if well and reply.stops:
                self.stopped.add(person)
        return well

    def _persist(self, work: Callable[[], bool]) -> bool:
        """Work until it is done; False: the storm has ended before."""
        while not self._stop.is_set():
            if work():
                return True
            self._stop.wait(AGAIN)
        return False

    def _sleep_until(self, at: float) -> bool:
        """Wait for a moment of the storm; False: it has ended before."""
        return not self._stop.wait(max(0.0, self._began + at - time.monotonic()))
