"""The ground of the model: a database that is emptied for each history, and the real time that passes there.

Nobody waits: all that the database has written down of real time is moved into the past instead.
"""

import time
from functools import lru_cache
from typing import Any

from engine.clock import SequenceClock
from engine.database import Database
from producers.sequences import publish
from producers.tenants import Tenant
from promises.rows import ROWS, Row
from schema.definition import Definition, parse

#: What a backup holds, in the order in which it can be read back.
KEPT = (
    "contacts",
    "enrollments",
    "enroll_events",
    "outbox",
    "attempt_records",
    "events",
    "suppressions",
    "pauses",
    "holds",
    "dispatch",
)

#: Tables that number their rows.
NUMBERED = ("contacts", "enrollments", "outbox", "events", "suppressions")

#: Rows are few: deleting them is much faster than truncating their tables.
FORGET = "".join(f"DELETE FROM {name};" for name in reversed(KEPT))

EMPTY = f"""
{FORGET} DELETE FROM sequence_versions; DELETE FROM sequences; DELETE FROM clock;
{"".join(f"SELECT setval('{name}_id_seq', 1, false);" for name in NUMBERED)}
INSERT INTO dispatch DEFAULT VALUES;
INSERT INTO clock (real_from, sequence_from, rate) SELECT now(), now(), 1;
"""

#: No disk is waited for: what a server loses that is killed is not what these histories are about.
UNHURRIED = """
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$;
"""

BACKUP_TABLES = "CREATE SCHEMA backup;" + "".join(f"CREATE TABLE backup.{name} (LIKE {name});" for name in KEPT)

BACK_UP = "".join(f"DELETE FROM backup.{name}; INSERT INTO backup.{name} SELECT * FROM {name};" for name in KEPT)
READ_BACK = "".join(f"INSERT INTO {name} OVERRIDING SYSTEM VALUE SELECT * FROM backup.{name};" for name in KEPT)
LAST_NUMBERS = f"SELECT {', '.join(f'(SELECT last_value FROM {name}_id_seq)' for name in NUMBERED)}"

#: Two steps may say the same to the same person at the same time: only their attempts tell them apart then.
SEQUENCES = {
    "long": """
sequence: long
exit_on: [unsubscribed]
steps:
  - {{key: first, type: sms, body: "Hello, edition {edition}"}}
  - {{key: mail, type: email, delay: 1 day, subject: "Hello", text: "Edition {edition}"}}
  - {{key: third, type: sms, delay: 1 day, body: "Hello, edition {edition}"}}
""",
    "short": """
sequence: short
steps:
  - {{key: text, type: sms, body: "Hello, edition {edition}"}}
""",
    "mail": """
sequence: mail
steps:
  - {{key: mail, type: email, subject: "Hello", text: "Edition {edition}"}}
""",
}


class Ground:
    """The database as the model sees it, past all guards of the engine."""

    def __init__(self, database: Database) -> None:
        """Connect; `empty` makes the ground ready for a history."""
        self.database = database
        with database.connect() as session:
            session.execute((UNHURRIED + BACKUP_TABLES).encode())
        self._session = database.connect()
        self._backup: dict[str, int] | None = None
        self._backed_up_at = 0.0
        self.passed = 0.0
        """Real seconds for which nobody has waited."""
        self.clock = SequenceClock(database)
        self.edition = 0

    def close(self) -> None:
        """Give the connection back."""
        self._session.close()

    def empty(self, smtp_guarantee: str) -> None:
        """Begin anew: no contacts, the first edition of the sequences, the clock at real time."""
        self.execute(f"{EMPTY} UPDATE workspaces SET smtp_guarantee = '{smtp_guarantee}'")
        self._backup = None
        self.edition = 0
        self.publish_an_edition()
        self._read_clock()

    def publish_an_edition(self) -> None:
        """Edit all sequences."""
        self.edition += 1
        with self.database.transaction() as session:
            for key in SEQUENCES:
                publish(session, 1, definition(key, self.edition))

    def tenant(self) -> Tenant:
        """The workspace, as webhooks know it."""
        return Tenant(*self.query("SELECT id, name, region, webhook_secret FROM workspaces WHERE id = 1")[0])

    def monotonic(self) -> float:
        """What a clock shows that nobody can set: real seconds from some moment on."""
        return time.monotonic() + self.passed

    def sequence_now(self) -> float:
        """The sequence time, in epoch seconds."""
        return float(self.query("SELECT extract(epoch FROM sequence_now())::float8")[0][0])

    def let_pass(self, seconds: float) -> None:
        """Let real time pass, and with it the sequence clock."""
        self.passed += seconds
        self.execute(f"UPDATE clock SET real_from = real_from - interval '{seconds} s';{_grow_older(seconds)}")
        self._read_clock()

    def jumped(self) -> None:
        """The sequence clock was moved, and every process has noticed."""
        self._read_clock()

    @property
    def has_a_backup(self) -> bool:
        """Whether there is something to go back to."""
        return self._backup is not None

    def back_up(self) -> None:
        """Make a backup."""
        self.execute(BACK_UP)
        (last,) = self.query(LAST_NUMBERS)
        self._backup = dict(zip(NUMBERED, last, strict=True))
        self._backed_up_at = self.monotonic()

    def restore(self) -> None:
        """Go back to the backup, as a server does whose disk was lost."""
        assert self._backup is not None
        self.let_pass(300)  # nobody restores a database in less
        numbers = "".join(f"SELECT setval('{name}_id_seq', {last});" for name, last in self._backup.items())
        self.execute(FORGET + READ_BACK + numbers + _grow_older(self.monotonic() - self._backed_up_at))

    def rows(self) -> dict[int, Row]:
        """Every row."""
        return {row[0]: Row(*row) for row in self.query(ROWS)}

    def query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Look at something."""
        return self._session.execute(sql.encode(), parameters or None).fetchall()

    def execute(self, sql: str, *parameters: Any) -> int:
        """Change something; tell how many rows."""
        return self._session.execute(sql.encode(), parameters or None).rowcount

    def _read_clock(self) -> None:
        self.clock._read_at = float("-inf")


@lru_cache(maxsize=100)
def definition(sequence: str, edition: int) -> Definition:
    """An edition of a sequence."""
    return parse(SEQUENCES[sequence].format(edition=edition))


def _grow_older(seconds: float) -> str:
    age = f"interval '{seconds} s'"
    return f"""
UPDATE outbox SET lease_until = lease_until - {age}, retry_at = retry_at - {age}
    WHERE lease_until IS NOT NULL OR retry_at IS NOT NULL;
UPDATE attempt_records SET started_at = started_at - {age}, ended_at = ended_at - {age}, looked_at = looked_at - {age};
UPDATE pauses SET since = since - {age}, until = until - {age};
UPDATE dispatch SET beaten_at = beaten_at - {age}, open_until = open_until - {age};
"""
