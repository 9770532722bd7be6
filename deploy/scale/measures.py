"""What is measured at each size: the same operations, as often, each as its caller does it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from deploy.scale.growth import WORKSPACES, Growth
from deploy.scale.meter import Cost, Meter
from deploy.scale.place import Place
from deploy.scale.sequences import GROWING_KEY, moving
from engine.database import Session
from engine.outbox.begin import Attempt, begin
from engine.outbox.claim import claim
from engine.outbox.counts import enrollments_by_source, oldest_due, rows_by_status, sent_in_the_last_minute
from engine.outbox.dispatch import beat
from engine.outbox.hold import held
from engine.outbox.listing import page
from engine.outbox.pause import paused
from engine.outbox.settle import Ending, settle
from producers.enroll_event import EnrollEvent, write
from producers.enrollment import enroll_people
from producers.explaining import explain_enrollment
from producers.migrating import plan_migration, run_migration
from producers.operator import Operator
from producers.people import Person, person
from producers.sequences import find_sequence, publish
from schema.definition import parse
from schema.states import AttemptOutcome, RowStatus
from workers.sweeper import Sweeper

#: Rows of one claim, and of one batch that is settled.
BATCH: Final = 100

#: Contacts of one chunk of bulk enrollment.
LIST: Final = 500

#: Enrollments of a page of a list: no more than there are in each list at the size that others are compared with.
PAGE: Final = 10

SWEEP_SECONDS: Final = 15.0

#: Real seconds for which rows may be claimed without a leader that says so.
OPEN_SECONDS: Final = 3_600.0

#: Enrollments from all over the table.
SPREAD: Final = """
SELECT e.id, w.key FROM generate_series(1, %(count)s::int) AS number
CROSS JOIN LATERAL (
    SELECT id, workspace_id FROM enrollments
    WHERE id >= number * (SELECT max(id) FROM enrollments) / (%(count)s::int + 1) ORDER BY id LIMIT 1
) AS e JOIN workspaces w ON w.id = e.workspace_id
"""

#: Lists of enrollments: of a workspace or of a sequence, in any status or in one.
LISTS: Final = (
    ("list of workspace", False, None),
    ("list of workspace, active", False, "active"),
    ("list of sequence", True, None),
    ("list of sequence, cancelled", True, "cancelled"),
)

#: What the contacts of a measure are told apart by, from size to size.
PHONES: Final = 3_105_550_000


@dataclass(slots=True)
class Measures:
    """The measures at one size."""

    place: Place
    growth: Growth
    number: int
    """Of this size, from 1."""
    times: int
    """Repetitions of what is quick."""
    due: list[int] = field(default_factory=list)
    """Rows that are due, made by the measures before."""
    begun: list[Attempt] = field(default_factory=list)

    def run(self) -> Iterator[Cost]:
        """All of them, in the order in which each needs what the ones before have left."""
        producer, worker = Meter(self.place.producer), Meter(self.place.worker)
        few = max(self.times // 10, 5)
        yield producer.cost("enroll", self._enroll, self.times)
        yield producer.cost(f"bulk enroll {LIST}", self._bulk, 5)
        with self.place.worker.transaction() as session:
            beat(session, 0, OPEN_SECONDS)
        singles = min(self.times, len(self.due) // 4)
        yield worker.cost("claim 1", lambda _: self._claim(1), singles)
        batches = len(self.due) // BATCH
        yield worker.cost("claim 100", lambda _: self._claim(BATCH), batches)
        yield worker.cost("settle 100", lambda _: self._settle(), len(self.begun) // BATCH)
        yield worker.cost("sweep", self._sweep, few)
        yield producer.cost("status", self._status, few)
        yield worker.cost("gauges", self._gauges, few)
        spread = self._spread()
        yield producer.cost("explain", lambda number: self._explain(*spread[number]), self.times)
        for name, by_sequence, status in LISTS:
            yield producer.cost(name, self._list(by_sequence=by_sequence, status=status), few * 3)
        yield self._migration(producer)

    def _enroll(self, number: int) -> None:
        workspace = f"tenant-{1 + number % WORKSPACES}"
        phone = f"+1{PHONES + self.number * 100_000 + number}"
        event = EnrollEvent(
            GROWING_KEY, email=f"one-{self.number}-{number}@example.com", phone=phone, workspace=workspace
        )
        with self.place.producer.transaction() as session:
            enrolled = write(session, event)
        self.due.extend(enrolled.wakeups[0][1])

    def _bulk(self, number: int) -> None:
        """A list of contacts of one workspace, ten rows each."""
        people = self._people(number)
        with self.place.producer.transaction() as session:
            sequence = find_sequence(session, self.growth.stretches[number].workspace_id, GROWING_KEY)
            enrolled = enroll_people(session, sequence, people, done_anew=True)
        self.due.extend(enrolled.wakeups[0][1])

    def _people(self, number: int) -> list[Person]:
        first = self.number * 100_000 + 10_000 * (number + 1)
        return [
            person(
                {"phone": f"+1{PHONES + first + one}", "email": f"bulk-{first + one}@example.com"},
                region="US",
                needs=frozenset({"phone"}),
            )[0]
            for one in range(LIST)
        ]

    def _claim(self, size: int) -> None:
        """As a worker does: claimed, and begun, in one transaction."""
        ids, self.due[:size] = self.due[:size], []
        with self.place.worker.transaction() as session:
            rows = claim(session, ids)
            attempts = [Attempt(row.id, row.fence, row.recipient, '{"body": "Hi"}', 0.1) for row in rows]
            begin(session, attempts, 60)
        if len(rows) != size:
            raise AssertionError(f"{len(rows)} of {size} due rows were claimed")
        self.begun.extend(attempts)

    def _settle(self) -> None:
        ended, self.begun[:BATCH] = self.begun[:BATCH], []
        endings = [
            Ending(
                one.id,
                one.fence,
                "sms",
                RowStatus.SENT,
                outcome=AttemptOutcome.ACCEPTED,
                provider_id=f"SM{self.number:02}{one.id:030}",
            )
            for one in ended
        ]
        with self.place.worker.transaction() as session:
            settled = settle(session, endings)
        if len(settled) != len(endings):
            raise AssertionError(f"{len(settled)} of {len(endings)} rows were settled")

    def _sweep(self, _: int) -> None:
        Sweeper(self.place.worker, self.place.wakeups, self.place.clock, SWEEP_SECONDS).sweep()

    def _status(self, _: int) -> None:
        with self.place.producer.transaction() as session:
            rows_by_status(session)
            oldest_due(session)
            sent_in_the_last_minute(session)
            paused(session)
            held(session)

    def _gauges(self, _: int) -> None:
        with self.place.worker.transaction() as session:
            rows_by_status(session)
            oldest_due(session)
            enrollments_by_source(session)
            paused(session)

    def _spread(self) -> Sequence[tuple[int, str]]:
        with self.place.producer.transaction() as session:
            return session.execute(SPREAD, {"count": self.times}).fetchall()

    def _explain(self, enrollment: int, workspace: str) -> None:
        explain_enrollment(self.place.producer, workspace, enrollment)

    def _list(self, *, by_sequence: bool, status: str | None) -> Callable[[int], object]:
        """Pages from the start, from the middle and from further on, of one workspace after the other."""

        def one(number: int) -> None:
            stretch = self.growth.stretches[number % WORKSPACES]
            with self.place.producer.transaction() as session:
                after = _place_of(session, number)
                page(session, stretch.workspace_id, stretch.sequence_id if by_sequence else None, status, after, PAGE)

        return one

    def _migration(self, meter: Meter) -> Cost:
        """The running enrollments of a sequence of their own move to its second version, 100 in each workspace."""
        key = f"moving-{self.number}"
        stretches = self.growth.stretches[:5]
        for stretch in stretches:
            with self.place.producer.transaction() as session:
                publish(session, stretch.workspace_id, parse(moving(key, 3)))
                sequence = find_sequence(session, stretch.workspace_id, key)
                enroll_people(session, sequence, self._people(8)[:BATCH])
                publish(session, stretch.workspace_id, parse(moving(key, 4)))

        def one(number: int) -> None:
            workspace = f"tenant-{number + 1}"
            planned = plan_migration(self.place.producer, workspace, key)
            done = run_migration(self.place.producer, self.place.wakeups, Operator(workspace, "scale"), planned.target)
            if done.moved != BATCH:
                raise AssertionError(f"{done.moved} of {BATCH} enrollments were migrated")

        return meter.cost("migrate 100", one, len(stretches))


def _place_of(session: Session, number: int) -> int:
    """Where a page begins, as a share of the table: after nothing, a third, two thirds."""
    row = session.execute("SELECT coalesce(max(id), 0) * %s::bigint / 3 FROM enrollments", (number % 3,)).fetchone()
    return int(row[0]) if row else 0
