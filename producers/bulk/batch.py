"""A bulk run as the database knows it: how far it has come, and what it rejected."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from engine.database import Database, Session
from engine.errors import CadenzaError, InvalidInput
from producers.bulk.records import Reject
from producers.bulk.rejects import RejectsFile

#: Real seconds to wait for a run that is ending; one that was killed lets go as soon as the server notices.
PATIENCE: Final = 3.0
PAUSE: Final = 0.1

#: Rejects restored in one go.
AT_ONCE: Final = 1_000

MAKE: Final = """
INSERT INTO batches (workspace_id, sequence_id, name, digest) VALUES (%s, %s, %s, %s)
ON CONFLICT (sequence_id, name) DO NOTHING
RETURNING id
"""

#: Waits for a checkpoint that another session is writing at this moment.
FIND: Final = """
SELECT id, digest, records, enrolled, repeats, rejected, finished_at IS NOT NULL FROM batches
WHERE sequence_id = %s AND name = %s FOR UPDATE
"""

#: No row: somebody else has gone on with the batch.
ADVANCE: Final = """
UPDATE batches SET
    records = records + %(records)s, enrolled = enrolled + %(enrolled)s,
    repeats = repeats + %(repeats)s, rejected = rejected + %(rejected)s
WHERE id = %(id)s AND records = %(before)s AND finished_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of records."""

    records: int = 0
    enrolled: int = 0
    repeats: int = 0
    """The contact was in the sequence already, or twice in the file."""
    rejected: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        """Both together."""
        return Counts(
            self.records + other.records,
            self.enrolled + other.enrolled,
            self.repeats + other.repeats,
            self.rejected + other.rejected,
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """A run."""

    id: int
    name: str | None
    """Without one it can't be resumed."""
    begun_with: Counts
    """What earlier runs of the same batch had done."""
    finished: bool

    def advance(self, session: Session, before: Counts, done: Counts, rejects: Sequence[Reject]) -> None:
        """Note that these records are done too, in the transaction that did them.

        Raises:
            CadenzaError: somebody else has gone on with the batch.
        """
        moved = session.execute(
            ADVANCE,
            {
                "id": self.id,
                "before": before.records,
                "records": done.records,
                "enrolled": done.enrolled,
                "repeats": done.repeats,
                "rejected": done.rejected,
            },
        )
        if moved.rowcount != 1:
            raise CadenzaError(f"batch {self.name!r} was taken over by another run: see how far it has come there")
        if self.name is not None and rejects:
            with session.cursor().copy("COPY batch_rejects (batch_id, line, reason, fields) FROM STDIN") as copy:
                for reject in rejects:
                    copy.write_row((self.id, reject.line, reject.reason, list(reject.raw)))

    def finish(self, database: Database) -> None:
        """Note that all records are done."""
        if not self.finished:
            with database.transaction() as session:
                session.execute("UPDATE batches SET finished_at = clock_timestamp() WHERE id = %s", (self.id,))

    def restore_rejects(self, database: Database, file: RejectsFile) -> None:
        """Write down anew what earlier runs rejected.

        Raises:
            StorageFull: the file can't be written.
        """
        if self.begun_with.rejected == 0:
            return
        with database.transaction() as session, session.cursor("rejects") as cursor:
            cursor.execute(
                "SELECT line, reason, fields FROM batch_rejects WHERE batch_id = %s ORDER BY line", (self.id,)
            )
            while rows := cursor.fetchmany(AT_ONCE):
                file.write(Reject(*row) for row in rows)


@contextmanager
def open_batch(
    database: Database, workspace_id: int, sequence_id: int, name: str | None, digest: str
) -> Iterator[Batch]:
    """Begin a batch, or go on with the one of that name; nobody else can do so meanwhile.

    Raises:
        InvalidInput: it runs elsewhere at this moment, or was begun with a file of other content.
    """
    if name is None:
        with database.transaction() as session:
            row = session.execute(MAKE, (workspace_id, sequence_id, None, digest)).fetchone()
            assert row is not None  # noqa: S101 (an INSERT without a name has no conflict)
        yield Batch(row[0], None, Counts(), finished=False)
        return
    if not name.strip() or len(name) > 255 or not name.isprintable():
        raise InvalidInput("--batch: a name is 1 to 255 printable characters")
    with _alone(database, sequence_id, name):
        with database.transaction() as session:
            session.execute(MAKE, (workspace_id, sequence_id, name, digest))
            row = session.execute(FIND, (sequence_id, name)).fetchone()
        assert row is not None  # noqa: S101 (made above, and never deleted)
        batch_id, begun_with, *counts, finished = row
        if begun_with != digest:
            raise InvalidInput(
                f"batch {name!r} was begun with a file of other content: give that file, or another name with --batch"
            )
        yield Batch(batch_id, name, Counts(*counts), finished)


@contextmanager
def _alone(database: Database, sequence_id: int, name: str) -> Iterator[None]:
    """Hold an advisory lock of a transaction: the server lets go of it when this process dies."""
    with database.long_transaction() as session:
        until = time.monotonic() + PATIENCE
        key = f"cadenza batch {sequence_id} {name}"
        while not _locked(session, key):
            if time.monotonic() > until:
                raise InvalidInput(f"batch {name!r} is running elsewhere at this moment: wait until that run has ended")
            time.sleep(PAUSE)
        yield


def _locked(session: Session, key: str) -> bool:
    row = session.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", (key,)).fetchone()
    return row is not None and bool(row[0])
