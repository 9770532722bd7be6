"""What happens to enrollments on any day, done at random by the product's own functions."""

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from random import Random
from typing import Any, Final

import psycopg
from world import World

from engine.clock import SequenceClock, advance
from engine.errors import CadenzaError
from engine.outbox.dispatch import beat, hold_what_is_due, set_back
from engine.outbox.leave import leave
from engine.outbox.plan import Stretch, plan_enrollments
from engine.outbox.settle import Ending, settle
from engine.outbox.sweep import end_leases
from engine.outbox.tasks import NewTask, open_task
from engine.rules.planning import plan
from engine.wakeups import Wakeups
from producers.altering import delete_step
from producers.archiving import archive, unarchive
from producers.enroll_event import EnrollEvent, write
from producers.migrating import plan_migration, run_migration
from producers.operator import Operator
from producers.pausing import pause_all, pause_enrollment, resume_all, resume_one
from producers.review import Decision, decide
from producers.stale import end_stale, find_stale
from producers.steering import cancel, skip
from producers.tasks.acts import complete, reopen
from producers.tasks.acts import skip as leave_undone
from schema.definition import parse
from schema.states import Reentry, RowStatus

WHO: Final = Operator("default", "ann", "a day at work")

SEQUENCES: Final = ("follow-up", "calls")
TEXTS: Final = {
    "follow-up": """
sequence: follow-up
reentry: always
steps:
  - {{key: first, type: sms, body: "Edition {edition}"}}
  - {{key: second, type: email, delay: 1 day, subject: Hello, text: Hello}}
  - {{key: third, type: sms, delay: 1 day, body: "Hi again"}}
""",
    "calls": """
sequence: calls
reentry: always
steps:
  - {{key: first, type: sms, body: "Edition {edition}"}}
  - {{key: ring, type: call, delay: 1 day}}
  - {{key: third, type: sms, delay: 1 day, body: "Hi again"}}
""",
}

ENDS: Final = (RowStatus.SENT, RowStatus.SENT, RowStatus.FAILED, RowStatus.PENDING, RowStatus.UNKNOWN, RowStatus.REVIEW)

#: What the product refuses, and what it has its callers repeat.
REFUSED: Final = (CadenzaError, psycopg.errors.DeadlockDetected)

_EDITIONS = count(1)
_NUMBERS = count(1)


class Everyday:
    """Acts on a world; each act is one of the public methods, and picks at random what it concerns."""

    def __init__(self, world: World, wakeups: Wakeups, random: Random) -> None:
        """Prepare."""
        self.world, self.database, self.wakeups, self.random = world, world.database, wakeups, random

    def acts(self) -> dict[str, Callable[[], object]]:
        """All that may happen."""
        names = [name for name in vars(Everyday) if not name.startswith("_") and name not in ("acts", "do")]
        return {name: getattr(self, name) for name in sorted(names)}

    def do(self, act: str) -> bool:
        """Do something; False: the product refused it."""
        try:
            self.acts()[act]()
        except REFUSED:
            return False
        return True

    def publish(self) -> None:
        """A new version of a sequence."""
        self.world.publish(TEXTS[self._sequence()].format(edition=next(_EDITIONS)))

    def enroll(self) -> None:
        """One contact, by an event."""
        number = next(_NUMBERS)
        with self.database.transaction() as session:
            write(session, EnrollEvent(self._sequence(), email=f"p{number}@example.com", phone=f"+1202555{number:04}"))

    def enroll_a_file(self) -> None:
        """Whoever is known, by a batch."""
        key = self._sequence()
        definition = parse(TEXTS[key].format(edition=1))
        with self.database.transaction() as session:
            contacts = [row[0] for row in session.execute("SELECT id FROM contacts ORDER BY random() LIMIT 5")]
            found = session.execute(
                "SELECT s.id, max(v.id) FROM sequences s JOIN sequence_versions v ON v.sequence_id = s.id"
                " WHERE s.key = %s GROUP BY s.id",
                (key,),
            ).fetchone()
            assert found is not None
            stretch = Stretch(1, *found, Reentry.ALWAYS, plan(definition))
            plan_enrollments(session, stretch, contacts, batch_id=next(_NUMBERS))

    def pass_a_day(self) -> None:
        """The sequence clock is moved."""
        with self.database.transaction() as session:
            advance(session, timedelta(days=self.random.choice((1, 3))))

    def begin(self) -> None:
        """A worker claims rows, and is lost."""
        self.world.begin(self._rows("status = 'pending' AND type IN ('sms', 'email')"), lease=0.001)

    def deliver(self) -> None:
        """A worker claims rows, and settles them."""
        rows = self.world.begin(self._rows("status = 'pending' AND type IN ('sms', 'email')"))
        with self.database.transaction() as session:
            settle(session, [self._ending(row.id, row.fence, row.channel) for row in rows])

    def end_leases(self) -> None:
        """The sweeper takes rows from workers that were lost."""
        with self.database.transaction() as session:
            end_leases(session)

    def open_tasks(self) -> None:
        """Tasks fall due."""
        for row_id in self._rows("status = 'pending' AND type = 'call'"):
            with self.database.transaction() as session:
                ((enrollment,),) = session.execute(
                    "SELECT enrollment_id FROM outbox WHERE id = %s", (row_id,)
                ).fetchall()
                session.execute("SELECT FROM enrollments WHERE id = %s FOR UPDATE", (enrollment,))
                open_task(session, NewTask(1, enrollment, row_id, "call", "ring", None, "medium", None))

    def complete_a_task(self) -> None:
        """A person has done it."""
        with self.database.transaction() as session:
            complete(session, 1, self._enrollment(), "ring")

    def leave_a_task_undone(self) -> None:
        """A person has not."""
        with self.database.transaction() as session:
            leave_undone(session, 1, self._enrollment(), "ring")

    def reopen_a_task(self) -> None:
        """It was not done after all."""
        with self.database.transaction() as session:
            reopen(session, 1, self._enrollment(), "ring")

    def cancel(self) -> None:
        """An operator ends an enrollment."""
        cancel(self.database, WHO, self._enrollment())

    def skip(self) -> None:
        """An operator skips a step."""
        skip(self.database, self.wakeups, WHO, self._enrollment(), self.random.choice(("first", "second", "third")))

    def delete_a_step(self) -> None:
        """Of one enrollment."""
        delete_step(self.database, self.wakeups, WHO, self._enrollment(), self.random.choice(("second", "third")))

    def pause(self) -> None:
        """An enrollment."""
        pause_enrollment(self.database, WHO, self._enrollment())

    def resume(self) -> None:
        """An enrollment."""
        resume_one(self.database, self.wakeups, WHO, self._enrollment())

    def pause_all(self) -> None:
        """Of a sequence."""
        pause_all(self.database, WHO, self._sequence())

    def resume_all(self) -> None:
        """Of a sequence."""
        resume_all(self.database, self.wakeups, WHO, self._sequence())

    def archive(self) -> None:
        """A sequence, for a short time."""
        key = self._sequence()
        archive(self.database, WHO, key)
        unarchive(self.database, WHO, key)

    def migrate(self) -> None:
        """All of a sequence to its newest version."""
        target = plan_migration(self.database, "default", self._sequence()).target
        run_migration(self.database, self.wakeups, WHO, target)

    def stop(self) -> None:
        """A contact opts out."""
        with self.database.transaction() as session:
            rows = session.execute("SELECT contact_id FROM enrollments WHERE id = %s", (self._enrollment(),)).fetchall()
            for (contact,) in rows:
                leave(session, 1, contact, "unsubscribed")

    def review(self) -> None:
        """An operator decides what is in doubt."""
        clock = SequenceClock(self.database)
        for row_id in self._rows("status IN ('unknown', 'review')"):
            with self.database.transaction() as session:
                decide(session, clock, 1, row_id, self.random.choice(tuple(Decision)))

    def end_the_stale(self) -> None:
        """An operator ends what nobody works on."""
        end_stale(self.database, WHO, find_stale(self.database, "default", timedelta(days=2)))

    def restore(self) -> None:
        """The leader finds that the database was restored from a backup."""
        with self.database.transaction() as session:
            set_back(session)
            hold_what_is_due(session)
            beat(session, 0, 3_600)

    def _sequence(self) -> str:
        return self.random.choice(SEQUENCES)

    def _enrollment(self) -> int:
        found = self.world.query("SELECT id FROM enrollments ORDER BY id DESC LIMIT 20")
        return int(self.random.choice(found)[0]) if found else 0

    def _rows(self, where: str) -> list[int]:
        found = self.world.query(f"SELECT id FROM outbox WHERE {where} ORDER BY id")
        return [row_id for (row_id,) in found if self.random.random() < 0.7]

    def _ending(self, row_id: int, fence: int, channel: str) -> Ending:
        status = self.random.choice(ENDS)
        outcome: Any = {RowStatus.SENT: "accepted", RowStatus.FAILED: "refused", RowStatus.PENDING: "deferred"}
        return Ending(
            row_id,
            fence,
            channel,
            status,
            delay=0.0 if status is RowStatus.PENDING else None,
            outcome=outcome.get(status, "unanswered"),
            exit_reason="bounced" if status is RowStatus.FAILED else None,
        )
