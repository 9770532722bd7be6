"""A stage for the fault tests (deploy/chaos/stage.py), with people on it, patience, and the one judge."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from deploy.audit import Audit
from deploy.chaos.stage import Stage
from deploy.sandbox.ledger import Entry, read_ledger
from engine import clock
from engine.errors import Unavailable
from engine.outbox.plan import Stretch, plan_enrollments
from engine.rules.planning import plan
from engine.wakeups import Due
from producers.enroll_event import EnrollEvent, publish, write
from producers.sequences import find_sequence
from producers.sequences import publish as publish_sequence
from schema.definition import parse
from schema.states import Reentry

Found = TypeVar("Found")

#: Whether everything is as many and lasts as long as the scenarios say: `make faults FULL=1`.
FULL = os.environ.get("CADENZA_TEST_FULL_LENGTH") == "1"

#: Real seconds to wait for what should come about much sooner.
PATIENCE = 90.0

SMS = """
sequence: sms
steps: [{key: only, type: sms, body: "Hi {{ contact.external_id }}"}]
"""
EMAIL = """
sequence: email
steps: [{key: only, type: email, subject: "Hi {{ contact.external_id }}", text: "Hello"}]
"""
STEPS = """
sequence: steps
exit_on: [unsubscribed]
steps:
  - {key: first, type: sms, body: "First, {{ contact.external_id }}"}
  - {key: second, type: email, delay: 1 day, subject: "Second", text: "Hello {{ contact.external_id }}"}
  - {key: third, type: sms, delay: 1 day, body: "Third, {{ contact.external_id }}"}
"""


CONTACTS = """
INSERT INTO contacts (workspace_id, external_id, email, email_key, phone)
SELECT %s, 'p' || number, 'p' || number || '@example.com', 'p' || number || '@example.com',
    '+1' || (2015550000 + number)
FROM generate_series(%s::bigint, %s::bigint) AS number RETURNING id
"""


def begins(statement: str) -> bytes:
    """What Postgres is told at the start of a statement of ours; no other begins so."""
    return statement.partition("%(")[0].encode()


#: How every transaction of ours ends.
COMMIT = b"COMMIT"


def wait_for(state: Callable[[], Found], what: Callable[[], object] | str, patience: float = PATIENCE) -> Found:
    """Wait until there is something, and give it."""
    deadline = time.monotonic() + patience
    while not (found := state()):
        assert time.monotonic() < deadline, f"waited in vain: {what() if callable(what) else what}"
        time.sleep(0.02)
    return found


def run(stage: Stage, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a `cadenza` command to its end."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "deploy.cli", *arguments],
        cwd=stage.folder,
        env={**os.environ, **stage.environment()},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )


def wrong_clock(wrong_by: float) -> dict[str, str]:
    """What a process needs in its environment for its machine's clock to be wrong by so many seconds."""
    folder = Path(__file__).with_name("wrong_clock")
    path = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(path), "WRONG_BY": str(wrong_by)}


@dataclass
class Play:
    """People enrolled on a stage, and what became of them."""

    stage: Stage
    enrolled: int = 0
    workspace: str = "default"
    workspace_id: int = 1

    def __post_init__(self) -> None:
        for text in (SMS, EMAIL, STEPS):
            self.publish(text)

    def publish(self, text: str, workspace_id: int | None = None) -> None:
        """Publish a sequence."""
        with self.stage.database.transaction() as session:
            publish_sequence(session, workspace_id or self.workspace_id, parse(text))

    def next_event(self, sequence: str, **fields: Any) -> EnrollEvent:
        """An event for somebody new."""
        self.enrolled += 1
        who = {
            "external_id": f"p{self.enrolled}",
            "email": f"p{self.enrolled}@example.com",
            "phone": f"+1{2015550000 + self.enrolled}",
            "workspace": self.workspace,
            **fields,
        }
        return EnrollEvent(sequence, **who)

    def enroll(self, sequence: str = "sms", count: int = 1, **fields: Any) -> list[int]:
        """Enroll new people by events, their wake-ups scheduled."""
        return [self.enroll_event(self.next_event(sequence, **fields)) for _ in range(count)]

    def same(self, event: EnrollEvent, sequence: str) -> EnrollEvent:
        """The same person for another sequence."""
        return replace(event, sequence=sequence)

    def enroll_event(self, event: EnrollEvent) -> int:
        """Enroll somebody by an event."""
        return publish(self.stage.database, self.stage.wakeups, event).enrollment_id

    def enroll_many(self, count: int, sequence: str = "sms") -> list[Any]:
        """Enroll new people in one transaction; give the wake-ups, which are not scheduled."""
        wakeups = []
        with self.stage.database.transaction() as session:
            for _ in range(count):
                wakeups += write(session, self.next_event(sequence)).wakeups
        return wakeups

    def fill(self, count: int, sequence: str = "sms", after: float = 0.0) -> list[Due]:
        """Enroll many new people as bulk enrollment does, due so many seconds later; give the wake-ups."""
        wakeups: list[Due] = []
        with self.stage.database.transaction() as session:
            found = find_sequence(session, self.workspace_id, sequence)
            stretch = Stretch(
                self.workspace_id, found.sequence_id, found.version_id, Reentry.ONCE, plan(found.definition)
            )
            first = self.enrolled
            self.enrolled += count
            contacts = [
                row[0] for row in session.execute(CONTACTS, (self.workspace_id, first + 1, self.enrolled)).fetchall()
            ]
            for start in range(0, count, 5_000):
                wakeups += plan_enrollments(session, stretch, contacts[start : start + 5_000]).wakeups
            if after:
                ids = [row_id for _, ids in wakeups for row_id in ids]
                session.execute(
                    "UPDATE outbox SET due_at = due_at + %s * interval '1 second' WHERE id = ANY(%s)", (after, ids)
                )
        return [(due + after, ids) for due, ids in wakeups]

    def query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Whatever a statement gives; asked again while Postgres is away."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with self.stage.database.transaction() as session:
                    return session.execute(sql.encode(), parameters or None).fetchall()
            except (psycopg.OperationalError, Unavailable):
                assert time.monotonic() < deadline, "waited in vain: Postgres"
                time.sleep(0.1)

    def execute(self, sql: str, *parameters: Any) -> None:
        """Change something by hand."""
        with self.stage.database.transaction() as session:
            session.execute(sql.encode(), parameters or None)

    def statuses(self) -> Counter[str]:
        """How many rows have each status."""
        return Counter(dict(self.query("SELECT status, count(*) FROM outbox GROUP BY 1")))

    def until(self, patience: float = PATIENCE, **counts: int) -> None:
        """Wait until so many rows have each of these statuses, and none another."""
        wait_for(lambda: self.statuses() == counts, lambda: (counts, self.statuses()), patience)

    def until_any(self, status: str, at_least: int = 1, patience: float = PATIENCE) -> None:
        """Wait until so many rows have a status."""
        wait_for(lambda: self.statuses()[status] >= at_least, f"{at_least} {status}", patience)

    def jump(self, days: float) -> None:
        """Move the sequence clock ahead."""
        with self.stage.database.transaction() as session:
            clock.advance(session, timedelta(days=days))

    def accepted(self) -> list[Entry]:
        """What the providers took."""
        return list(read_ledger(self.stage.sandbox.sandbox.ledger))

    def judge(self, once: int) -> Audit:
        """The audit must be clean, and so many rows accepted exactly once, and no other."""
        found = self.stage.audit()
        assert found.clean, [str(violation) for kept in found.examples.values() for violation in kept]
        assert (found.accepted_once, found.acceptances) == (once, once)
        return found

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """What happens here is over before anything fails of it: faults end in any case."""
        try:
            yield
        finally:
            self.stage.calm()
