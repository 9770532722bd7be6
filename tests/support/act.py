"""A stage that stays up for many fault tests, and acts on it: each in a workspace of its own, judged by the auditor."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from struct import pack
from typing import Any, Final, Self
from urllib.parse import urlsplit

from stage import Play, wait_for

from deploy.audit import Audit, Kind
from deploy.chaos.children import Command, Workers
from deploy.chaos.servers import OwnServers
from deploy.chaos.stage import Stage, open_stage

#: Real seconds, and rows in flight: nothing of this ends sooner than it should on a busy machine.
UNHURRIED: Final[dict[str, Any]] = {
    "lease_seconds": 12.0,
    "provider_timeout_seconds": 4.0,
    "reconcile_grace_seconds": 2.0,
    "reconcile_interval_seconds": 0.5,
    "in_flight": 8,
}

#: Where the workers and the database seem to live: two nights a year are longer or shorter there.
TIMEZONE: Final = "America/New_York"

#: So that the number of a row is no other number that a statement may name.
UNMISTAKABLE: Final = "ALTER TABLE outbox ALTER COLUMN id RESTART WITH 4812937465100000000"

LATER: Final = """
sequence: later
steps: [{key: only, type: sms, delay: 1 hour, body: "Later, {{ contact.external_id }}"}]
"""

#: Nothing of an act goes on when the sequence clock is moved for the next one.
END: Final = """
WITH ended AS (
    UPDATE enrollments SET status = 'cancelled', exit_reason = 'operator', cancelled_at = sequence_now()
    WHERE workspace_id = %s AND status = 'active' RETURNING id
)
UPDATE outbox SET status = 'cancelled', reason = 'operator', fence = fence + 1
WHERE enrollment_id IN (SELECT id FROM ended) AND status = 'pending'
"""


def mention(row_id: int) -> bytes:
    """How a statement of a worker names a row."""
    return pack("!q", row_id)


@dataclass(frozen=True)
class House:
    """A stage on which workers and the API run all the time."""

    stage: Stage
    servers: OwnServers
    workers: Workers
    api: Command


@contextmanager
def open_house(folder: Path, servers: OwnServers, database_url: str) -> Iterator[House]:
    """Open it, on a Redis database of its own."""
    redis_url = urlsplit(servers.redis_url)._replace(path="/1").geturl()
    name = urlsplit(database_url).path.lstrip("/")
    servers.execute(f"ALTER DATABASE {name} SET timezone = '{TIMEZONE}'")
    with open_stage(folder, database_url, redis_url, **UNHURRIED) as stage:
        stage.redis.flushdb()
        with stage.database.transaction() as session:
            session.execute(UNMISTAKABLE)
        api = stage.api()
        workers = stage.workers(also={"TZ": TIMEZONE})
        workers.wait_for_children()
        yield House(stage, servers, workers, api)


@dataclass
class Act(Play):
    """A play in a workspace of its own, with phone numbers of its own; what other acts left behind does not count."""

    house: House | None = None
    public_id: str = ""
    before: Audit = field(default_factory=Audit)
    beside: list["Act"] = field(default_factory=list)

    @classmethod
    def open(cls, house: House, name: str, smtp_guarantee: str | None = None) -> Self:
        """Begin an act in a new workspace."""
        stage = house.stage
        with stage.database.transaction() as session:
            row = session.execute(
                "INSERT INTO workspaces (key, name, smtp_guarantee) VALUES (%s, %s, %s) RETURNING id, public_id",
                (name, name, smtp_guarantee),
            ).fetchone()
        assert row is not None
        workspace_id, public_id = row
        return cls(stage, 1_000 * workspace_id, name, workspace_id, house, public_id, stage.audit())

    def neighbour(self, name: str, smtp_guarantee: str | None = None) -> "Act":
        """Another workspace beside this one."""
        assert self.house is not None
        self.beside.append(Act.open(self.house, name, smtp_guarantee))
        return self.beside[-1]

    def rows(self, columns: str) -> list[tuple[Any, ...]]:
        """The outbox rows of this act, in order."""
        return self.query(f"SELECT {columns} FROM outbox WHERE workspace_id = %s ORDER BY id", self.workspace_id)

    def attempts(self, columns: str) -> list[tuple[Any, ...]]:
        """The attempts of this act, in order."""
        return self.query(
            f"SELECT {columns} FROM attempts WHERE workspace_id = %s ORDER BY outbox_id, fence", self.workspace_id
        )

    def statuses(self) -> Counter[str]:
        """How many rows of this act have each status."""
        return Counter(status for (status,) in self.rows("status"))

    def enroll_for_later(self, count: int = 1) -> list[int]:
        """Enroll new people whose message falls due at the next jump by an hour; give their rows."""
        self.publish(LATER)
        self.stage.wakeups.schedule(self.enroll_many(count, "later"))
        return [row_id for (row_id,) in self.rows("id")][-count:]

    def judge(self, once: int, **but: int) -> Audit:
        """The audit must find nothing new, and so many rows accepted exactly once; `but`: violations that must be."""
        found = self.stage.audit()
        new = Counter({kind: found.counts[kind] - self.before.counts[kind] for kind in Kind})
        expected = {Kind[kind.upper()]: count for kind, count in but.items()}
        assert +new == expected, [str(one) for kept in found.examples.values() for one in kept]
        assert found.accepted_once - self.before.accepted_once == once
        assert found.acceptances - self.before.acceptances == once + 2 * but.get("duplicated", 0)
        return found

    def say(self, sender: str | None, text: str) -> int:
        """Let somebody write to us; tell what the webhook answered."""
        url = f"{self.stage.settings.public_url}/webhooks/twilio/{self.public_id}/inbound"
        (answer,) = self.stage.sandbox.client.inbound(str(sender), text, url).answers
        assert answer is not None
        return answer.status

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Meanwhile the workers of the house stand still (SIGSTOP)."""
        assert self.house is not None
        workers = self.house.workers
        children = workers.wait_for_children()
        for pid in children:
            workers.freeze(pid)
        try:
            yield
        finally:
            for pid in children:
                workers.thaw(pid)

    def end(self) -> None:
        """End every fault, and whatever would go on by itself."""
        self.stage.calm()
        self.stage.sandbox.client.set_callbacks()
        self.stage.sandbox.client.set_unsubscribed([])
        wait_for(lambda: not self.statuses().keys() & {"sending", "unknown"}, "what is under way ends")
        for act in (self, *self.beside):
            act.query(END + " RETURNING id", act.workspace_id)
