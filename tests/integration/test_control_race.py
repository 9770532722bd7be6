"""Whoever says no against eight workers that claim the same row: what has not begun by then never does.

The gate runs a few rounds of each; `make races` a thousand.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Barrier, Event, Thread
from typing import Any

import pytest
from stage import FULL
from stage_site import GENEROUS
from world import World

from engine.database import Database
from engine.errors import UnderWay
from engine.outbox.barrier import wait_for_claims
from engine.outbox.begin import Attempt, begin
from engine.outbox.claim import claim
from engine.wakeups import Wakeups
from producers.archiving import archive, unarchive
from producers.enroll_event import EnrollEvent, publish
from producers.inbound import InboundMessage, receive
from producers.operator import Operator
from producers.pausing import pause_all, pause_enrollment, resume_all, resume_one
from producers.steering import cancel, skip
from producers.tenants import Tenant

WORKERS = 8
ROUNDS = 1_000 if FULL else 15

#: Real seconds for all of them; 0: as long as they take.
TIMEOUT = 0 if FULL else 180

WHO = Operator("default", "ann")

SEQUENCE = """
sequence: race
exit_on: [replied]
goal: {attribute: {plan: pro}}
reentry: always
steps: [{key: only, type: sms, body: Hi}]
"""


class Worker(Thread):
    """Claims the row of a round again and again, until the round is over, and once more."""

    def __init__(self, race: "Race") -> None:
        super().__init__(daemon=True)
        self._race = race
        self._database = Database(race.world.database.url, name="racing", size=1)
        self.failed: BaseException | None = None

    def run(self) -> None:
        race = self._race
        try:
            while True:
                race.start.wait(GENEROUS)
                if race.over:
                    return
                last = False
                while not last:
                    last = race.said.is_set()
                    self._claim(race.row)
                race.end.wait(GENEROUS)
        except BaseException as error:  # noqa: BLE001 (told by the test)
            self.failed = error
            race.start.abort()
            race.end.abort()
        finally:
            self._database.close()

    def _claim(self, row_id: int) -> None:
        with self._database.transaction() as session:
            rows = claim(session, [row_id])
            if rows:
                time.sleep(random.random() * 0.002)  # noqa: S311 (spreads the moments)
                begin(session, [Attempt(row.id, row.fence, row.recipient, "{}", 0.0) for row in rows], 60)


class Race:
    """Rounds of one act against the workers."""

    def __init__(self, world: World, wakeups: Wakeups) -> None:
        self.world, self.wakeups = world, wakeups
        self.start, self.end = Barrier(WORKERS + 1), Barrier(WORKERS + 1)
        self.said = Event()
        self.over = False
        self.row = self.enrollment = 0
        self.phone = ""
        self._workers = [Worker(self) for _ in range(WORKERS)]

    @contextmanager
    def running(self) -> Iterator[None]:
        """The workers race meanwhile."""
        for worker in self._workers:
            worker.start()
        try:
            yield
            self.over = True
            self.start.wait(GENEROUS)
        except BaseException:
            self.start.abort()
            self.end.abort()
            raise
        finally:
            for worker in self._workers:
                worker.join(GENEROUS)
        assert [worker.failed for worker in self._workers if worker.failed] == []

    def round(self, act: Callable[["Race"], None], before: Callable[["Race"], None] | None = None) -> tuple[int, int]:
        """Somebody new is enrolled, and the act comes; give the attempts when it has returned, and in the end."""
        (enrolled,) = self.world.enroll("race")
        self.enrollment = enrolled.enrollment_id
        ((self.row, self.phone),) = self.world.query(
            "SELECT o.id, c.phone FROM outbox o JOIN enrollments e ON e.id = o.enrollment_id"
            " JOIN contacts c ON c.id = e.contact_id WHERE e.id = %s",
            self.enrollment,
        )
        if before is not None:
            before(self)
        self.said.clear()
        self.start.wait(GENEROUS)
        time.sleep(random.random() * 0.008)  # noqa: S311 (spreads the moments)
        act(self)
        returned = self._attempts()
        self.said.set()
        self.end.wait(GENEROUS)
        return returned, self._attempts()

    def _attempts(self) -> int:
        ((count,),) = self.world.query("SELECT count(*) FROM attempts WHERE outbox_id = %s", self.row)
        return int(count)


def says(text: str) -> Callable[[Race], None]:
    """The contact writes to us."""

    def act(race: Race) -> None:
        with race.world.database.transaction() as session:
            message = InboundMessage(f"SM{race.row}", race.phone, text, None, {})
            receive(session, Tenant(1, "Default", "US", "secret"), message)

    return act


def writes_perhaps_stop(race: Race) -> None:
    """The contact writes what may be an opt-out, and the answer waits for claims, as the webhook does."""
    says("stop it")(race)
    wait_for_claims(race.world.database)


def skips(race: Race) -> None:
    """An operator skips the step, or is told that it is on its way."""
    try:
        skip(race.world.database, race.wakeups, WHO, race.enrollment, "only")
    except UnderWay:
        assert race._attempts() == 1


def pauses_and_resumes(race: Race) -> None:
    """An operator pauses, resumes and pauses again."""
    pause_enrollment(race.world.database, WHO, race.enrollment)
    resume_one(race.world.database, race.wakeups, WHO, race.enrollment)
    pause_enrollment(race.world.database, WHO, race.enrollment)


def buys(race: Race) -> None:
    """The contact reaches the goal, as another enroll event tells."""
    event = EnrollEvent("race", phone=race.phone, attributes={"plan": "pro"})
    publish(race.world.database, race.wakeups, event)


NO: dict[str, Callable[[Race], Any]] = {
    "pause": lambda race: pause_enrollment(race.world.database, WHO, race.enrollment),
    "pause the sequence": lambda race: pause_all(race.world.database, WHO, "race"),
    "pause the workspace": lambda race: pause_all(race.world.database, WHO, None),
    "pause, resume, pause": pauses_and_resumes,
    "archive": lambda race: archive(race.world.database, WHO, "race"),
    "cancel": lambda race: cancel(race.world.database, WHO, race.enrollment),
    "skip": skips,
    "STOP": says("STOP"),
    "reply": says("Sounds good!"),
    "goal": buys,
}


@pytest.fixture
def race(world: World, redis_url: str) -> Iterator[Race]:
    world.publish(SEQUENCE)
    wakeups = Wakeups(redis_url)
    yield Race(world, wakeups)
    wakeups.close()


@pytest.mark.timeout(TIMEOUT)
@pytest.mark.parametrize("act", NO)
def test_nothing_is_begun_once_somebody_has_said_no(race: Race, act: str) -> None:
    begun = 0
    with race.running():
        for _ in range(ROUNDS):
            returned, finally_ = race.round(NO[act])
            assert returned == finally_, f"begun after it was stored: row {race.row}"
            assert finally_ <= 1
            begun += finally_
            unarchive(race.world.database, WHO, "race")
            for sequence in (None, "race"):
                resume_all(race.world.database, race.wakeups, WHO, sequence)
    assert begun <= ROUNDS


@pytest.mark.timeout(TIMEOUT)
def test_nothing_is_begun_once_a_message_that_may_be_an_opt_out_is_answered(race: Race) -> None:
    """The sequence goes on after replies: the hold alone keeps the row."""
    race.world.publish(SEQUENCE.replace("exit_on: [replied]\n", ""))
    with race.running():
        for _ in range(ROUNDS):
            returned, finally_ = race.round(writes_perhaps_stop)
            assert returned == finally_, f"begun after it was answered: row {race.row}"


@pytest.mark.timeout(TIMEOUT)
def test_nothing_is_begun_before_a_resume_and_one_attempt_after_it(race: Race) -> None:
    with race.running():
        for _ in range(ROUNDS):
            seen: list[int] = []

            def resume(race: Race, seen: list[int] = seen) -> None:
                seen.append(race._attempts())
                resume_one(race.world.database, race.wakeups, WHO, race.enrollment)

            _, finally_ = race.round(resume, before=NO["pause"])
            assert seen == [0]
            assert finally_ == 1
