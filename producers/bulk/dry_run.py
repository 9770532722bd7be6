"""What a run would do with a chunk: looked up and counted, nothing is written but the rejects file."""

from collections.abc import Iterable, Sequence
from typing import Final

import psycopg

from engine.database import Database, Session, first_line
from engine.errors import Unavailable
from producers.bulk.batch import Counts
from producers.bulk.chunks import Chunk
from producers.bulk.records import Reject
from producers.bulk.rejects import RejectsFile
from producers.bulk.seen import Seen
from producers.contacts import LOOK_UP, Identities, Identity
from producers.people import Person
from producers.sequences import PublishedSequence

BARRED: Final = """
SELECT DISTINCT contact_id FROM enrollments
WHERE contact_id = ANY(%(contacts)b::bigint[]) AND sequence_id = %(sequence)b
    AND (%(reentry)b = 'once' OR %(reentry)b = 'after_exit' AND (status IN ('active', 'paused')
        OR coalesce(completed_at, cancelled_at) > sequence_now() - %(again_after)s::interval))
"""


class DryRun:
    """Counts chunk by chunk. Lines that contradict earlier ones of the file are rejected before (`chunks_of`)."""

    wakeups_warning: None = None

    def __init__(self, database: Database, sequence: PublishedSequence, rejects: RejectsFile) -> None:
        """Begin with the first chunk."""
        self._database = database
        self._sequence = sequence
        self._rejects = rejects
        self._seen = Seen()

    def settle(self, chunk: Chunk, done: Counts) -> tuple[Counts, Sequence[Reject]]:
        """Look the people of a chunk up; `done` is what was counted before it.

        Raises:
            StorageFull: the rejects file can't be written.
            Unavailable: the database did not answer.
        """
        try:
            with self._database.transaction() as session:
                session.execute("SET TRANSACTION READ ONLY")
                known = self._known(session, chunk.people)
                matches = [known.match(person) for person in chunk.people]
                identities = {id(match): match for match in matches if isinstance(match, Identity)}.values()
                barred = self._barred(session, identities)
        except psycopg.Error as error:
            raise Unavailable(f"Postgres: {first_line(error)}; {done.records} records were looked at") from None
        new = sum(not self._met(identity) and identity.contact_id not in barred for identity in identities)
        rejects = chunk.all_rejects((i, match) for i, match in enumerate(matches) if isinstance(match, str))
        self._rejects.write(rejects)
        accepted = chunk.size - len(rejects)
        return Counts(chunk.size, new, accepted - new, len(rejects)), rejects

    def _known(self, session: Session, people: Sequence[Person]) -> Identities:
        known = Identities()
        rows = session.execute(
            LOOK_UP,
            {
                "workspace": self._sequence.workspace_id,
                "external_ids": [person.external_id for person in people if person.external_id],
                "email_keys": [person.email_key for person in people if person.email_key],
                "phones": [person.phone for person in people if person.phone],
            },
            binary=True,
        )
        for row in rows:
            known.add(Identity(*row))
        return known

    def _barred(self, session: Session, identities: Iterable[Identity]) -> set[int | None]:
        """The contacts that re-entry keeps out."""
        definition = self._sequence.definition
        contacts = [identity.contact_id for identity in identities if identity.contact_id is not None]
        rows = session.execute(
            BARRED,
            {
                "contacts": contacts,
                "sequence": self._sequence.sequence_id,
                "reentry": definition.reentry_state.value,
                "again_after": definition.again_after,
            },
        )
        return {contact for (contact,) in rows}

    def _met(self, identity: Identity) -> bool:
        """Whether an earlier chunk had one of the keys; from now on all of them were met."""
        keys = [
            hash((name, key))
            for name in ("external_id", "email_key", "phone")
            if (key := getattr(identity, name)) is not None
        ]
        met = any(key in self._seen for key in keys)
        for key in keys:
            self._seen.add(key)
        return met
