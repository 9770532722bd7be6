"""A small world in a test's own database: a sequence, contacts enrolled in it, and what became of their rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from engine.database import Database
from engine.outbox.begin import Attempt, begin
from engine.outbox.claim import Claimed, claim
from engine.wakeups import Due
from producers.enroll_event import Enrolled, EnrollEvent, write
from producers.sequences import publish
from schema.definition import parse

THREE_STEPS = """
sequence: follow-up
name: Follow up
exit_on: [unsubscribed]
steps:
  - {key: first, type: sms, body: "Hi {{ contact.first_name | default: 'there' }}"}
  - {key: second, type: sms, delay: 1 day, body: "Hi again"}
  - {key: third, type: email, delay: 1 day, subject: "Hello", text: "Hello {{ contact.first_name }}"}
"""


@dataclass
class World:
    """Makes things in the database, and looks at them."""

    database: Database
    wakeups: list[Due] = field(default_factory=list)
    enrolled: int = 0

    def publish(self, text: str = THREE_STEPS, workspace_id: int = 1) -> str:
        """Publish a sequence and give its key."""
        definition = parse(text)
        with self.database.transaction() as session:
            publish(session, workspace_id, definition)
        return definition.sequence

    def enroll(self, sequence: str = "follow-up", count: int = 1, **fields: Any) -> list[Enrolled]:
        """Enroll new contacts."""
        made = []
        for _ in range(count):
            self.enrolled += 1
            who = {"email": f"user{self.enrolled}@example.com", "phone": f"+1202555{self.enrolled:04}", **fields}
            with self.database.transaction() as session:
                made.append(write(session, EnrollEvent(sequence, **who)))
            self.wakeups.extend(made[-1].wakeups)
        return made

    def rows(self, columns: str = "id, step_key, status, reason", where: str = "true") -> list[tuple[Any, ...]]:
        """Outbox rows in order."""
        return self.query(f"SELECT {columns} FROM outbox WHERE {where} ORDER BY enrollment_id, step_order")

    def statuses(self) -> list[str]:
        """The status of every row in order."""
        return [status for (status,) in self.rows("status")]

    def ids(self, where: str = "true") -> list[int]:
        """The ids of rows in order."""
        return [row_id for (row_id,) in self.rows("id", where)]

    def query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Whatever a SELECT gives."""
        with self.database.transaction() as session:
            return session.execute(sql.encode(), parameters).fetchall()

    def execute(self, sql: str, *parameters: Any) -> None:
        """Change something by hand."""
        with self.database.transaction() as session:
            session.execute(sql.encode(), parameters)

    def claim(self, ids: Sequence[int], lease: float = 60) -> list[Claimed]:
        """Claim rows as a worker does that has no message for them: under a lease, and without an attempt."""
        return self._take(ids, lease, payload=None)

    def begin(self, ids: Sequence[int], lease: float = 60, payload: str = "{}") -> list[Claimed]:
        """Claim rows, and begin their attempts, as a worker does that is about to hand them over."""
        return self._take(ids, lease, payload)

    def _take(self, ids: Sequence[int], lease: float, payload: str | None) -> list[Claimed]:
        with self.database.transaction() as session:
            rows = claim(session, ids)
            begin(session, [Attempt(row.id, row.fence, row.recipient, payload, 0.0) for row in rows], lease)
        return rows


@pytest.fixture
def world(database: Database) -> World:
    """The test's world, with the sequence `follow-up` in workspace 1."""
    world = World(database)
    world.publish()
    return world
