"""What the measures stand on: servers of the benchmark's own, and the rows that they are filled with."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeAlias

import redis
from pydantic import SecretStr

from deploy.cli.database import bring_up
from deploy.cli.session import required
from deploy.local.clean import clean
from deploy.local.servers import local_servers
from deploy.local.stock import stock_servers
from engine.clock import SequenceClock
from engine.database import Database
from engine.outbox.plan import Planned, Stretch, plan_enrollments
from engine.redis_connection import open_redis
from engine.rules.planning import plan
from engine.settings import Settings
from engine.wakeups import Due, Wakeups
from producers.sequences import publish
from producers.workspaces import change, find_workspace
from schema.definition import parse
from schema.tables import metadata

Servers: TypeAlias = Literal["embedded", "stock"]

#: A claim and its settling move the fence on by one each, and no provider of the benchmark refuses for now: a row
#: with a greater fence, or with two attempts, was claimed twice.
CLAIMED_TWICE: Final = """
SELECT count(*) FROM outbox o
WHERE o.fence > 2 OR o.fence > 0 AND (SELECT count(*) FROM attempts a WHERE a.outbox_id = o.id) > 1
"""

#: What every measure keeps; the history can only be appended to.
KEPT: Final = {"clock", "dispatch", "workspaces", "sequences", "sequence_versions", "history"}

CONTACTS: Final = """
INSERT INTO contacts (workspace_id, external_id, email, email_key, phone, first_name, last_name, attributes)
SELECT %(workspace)s, 'lead-' || number, mailbox, mailbox, '+1' || (2015550000 + number), name.first, name.last,
    jsonb_build_object('city', name.city, 'plan', name.plan)
FROM generate_series(1, %(count)s) AS number
CROSS JOIN LATERAL (SELECT 'lead.' || number || '@example.com') AS address (mailbox)
CROSS JOIN LATERAL (
    SELECT (ARRAY['Anna', 'Ben', 'Chloé', 'Daniel', 'Elif', 'Farid', 'Grace'])[1 + number %% 7],
        (ARRAY['Meyer', 'Okafor', 'Nguyen', 'Rossi', 'Silva'])[1 + number %% 5],
        (ARRAY['Berlin', 'Lagos', 'Hanoi'])[1 + number %% 3], (ARRAY['starter', 'team'])[1 + number %% 2]
) AS name (first, last, city, plan)
RETURNING id
"""

#: Contacts of one transaction of bulk enrollment.
CHUNK: Final = 5_000


@dataclass(frozen=True, slots=True)
class Ground:
    """Servers that run, migrated, and connections to them."""

    settings: Settings
    database: Database
    wakeups: Wakeups
    redis: "redis.Redis"
    clock: SequenceClock
    folder: Path
    """For files of the measures."""
    quick: bool
    """Smaller counts, only to try it out."""
    servers: str
    """Which ones they are: embedded, or stock."""
    claimed_twice: list[int] = field(default_factory=list)
    """Rows that were claimed more than once, of each time that the tables were emptied."""

    def count(self, full: int) -> int:
        """How many, of what a full run takes."""
        return max(full // 10, 100) if self.quick else full

    def empty(self) -> None:
        """Take all contacts, enrollments, rows and wake-ups away; note what was claimed twice."""
        with self.database.transaction() as session:
            row = session.execute(CLAIMED_TWICE).fetchone()
            self.claimed_twice.append(row[0] if row else 0)
            session.execute(f"TRUNCATE {', '.join(set(metadata.tables) - KEPT)} RESTART IDENTITY")
        self.redis.flushall()

    def contacts(self, count: int) -> list[int]:
        """Make contacts who have everything that a sequence asks for."""
        with self.database.transaction() as session:
            workspace = find_workspace(session, "default").id
            rows = session.execute(CONTACTS, {"workspace": workspace, "count": count}).fetchall()
        return [row[0] for row in rows]

    def sequence(self, text: str) -> Stretch:
        """Publish a sequence file, and plan it."""
        definition = parse(text)
        with self.database.transaction() as session:
            workspace = find_workspace(session, "default").id
            published = publish(session, workspace, definition)
        return Stretch(
            workspace, published.sequence_id, published.version_id, definition.reentry_state, plan(definition)
        )

    def enroll(self, stretch: Stretch, contacts: Sequence[int]) -> "Enrolled":
        """Enroll contacts as bulk enrollment does, chunk by chunk, and keep the wake-ups."""
        enrolled = Enrolled()
        for first in range(0, len(contacts), CHUNK):
            with self.database.transaction() as session:
                enrolled.add(plan_enrollments(session, stretch, contacts[first : first + CHUNK], done_anew=True))
        return enrolled

    def set_autovacuum(self, *, on: bool) -> None:
        """Let autovacuum choose when statistics are renewed, or leave that to the measure."""
        with self.database.connect() as session:
            session.execute("ALTER SYSTEM RESET autovacuum" if on else "ALTER SYSTEM SET autovacuum = off")
            session.execute("SELECT pg_reload_conf()")

    def settle_statistics(self) -> None:
        """Let the planner know how full the tables are, so that autovacuum doesn't choose its own moment to."""
        with self.database.connect() as session:
            session.execute("VACUUM (ANALYZE) contacts, enrollments, outbox, attempt_records")


@dataclass(slots=True)
class Enrolled:
    """Enrollments whose wake-ups are yet to be scheduled."""

    first: list[Due] = field(default_factory=list)
    """Those of the first steps."""
    later: list[Due] = field(default_factory=list)

    def add(self, planned: Planned) -> None:
        """Add what one statement planned."""
        self.first.append(planned.wakeups[0])
        self.later.extend(planned.wakeups[1:])

    def first_rows(self) -> list[int]:
        """Return the rows of the first steps."""
        return [row for _, rows in self.first for row in rows]


@contextmanager
def open_ground(servers: Servers, *, quick: bool) -> Iterator[Ground]:
    """Run servers in a folder of our own; nothing of them is left behind.

    Raises:
        Unavailable: they can't be started, or are not installed.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cadenza-bench-")))
        folder.chmod(0o711)  # the servers run as another user when we are root
        settings = Settings(_env_file=None, data_dir=folder / "data")
        stack.callback(clean, settings.data_dir)
        if servers == "stock":
            database_url, redis_url = stack.enter_context(stock_servers(settings.data_dir))
            urls = {"database_url": SecretStr(database_url), "redis_url": SecretStr(redis_url)}
            settings = settings.model_copy(update=urls)
        else:
            settings = stack.enter_context(local_servers(settings))
        database = Database(required(settings.database_url), name="cadenza bench")
        stack.callback(database.close)
        bring_up(database)
        with database.transaction() as session:
            change(session, "default", quiet_hours="off")  # it is measured at night too
        wakeups = Wakeups(required(settings.redis_url))
        stack.callback(wakeups.close)
        client = stack.enter_context(open_redis(required(settings.redis_url)))
        yield Ground(settings, database, wakeups, client, SequenceClock(database), folder, quick, servers)
