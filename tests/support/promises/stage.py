"""Everybody and everything that acts in a history."""

from dataclasses import dataclass, field

import redis

from engine.settings import Settings
from engine.wakeups import Wakeups
from producers.delivery_reports import DeliveryReport, take_report
from promises.ground import Ground
from promises.promises import Promises
from promises.provider import Accepted, Provider
from promises.worker import Worker
from workers.delivery.intake import Intake
from workers.delivery.known import Known
from workers.delivery.prepare import Prepare
from workers.delivery.settler import Settler
from workers.heartbeat import Heartbeat
from workers.reconciler import Reconciler
from workers.sweeper import Sweeper

WORKERS = ("ann", "bob")


@dataclass
class Site:
    """What all histories share: the servers and the settings."""

    ground: Ground
    wakeups: Wakeups
    redis: "redis.Redis"
    settings: Settings = field(default_factory=lambda: Settings(_env_file=None))


@dataclass(frozen=True, slots=True)
class Enrolled:
    """An enrollment, and the key of the last event that asked for it."""

    id: int
    key: str


class Stage:
    """The actors of one history, on empty ground."""

    def __init__(self, site: Site, smtp_guarantee: str) -> None:
        """Empty the ground, and let everybody start."""
        self.site = site
        self.ground = ground = site.ground
        ground.empty(smtp_guarantee)
        site.redis.flushdb()
        self.provider = Provider(ground)
        self.promises = Promises(ground, self.provider, at_least_once=smtp_guarantee == "at_least_once")
        self.known = Known(ground.database)
        self.workers = {name: self.new_worker() for name in WORKERS}
        channels = {"sms": self.provider, "email": self.provider}
        self.reconciler = Reconciler(site.settings, ground.database, site.wakeups, ground.clock, channels, self.known)
        self.sweeper = Sweeper(ground.database, site.wakeups, ground.clock, site.settings.sweep_seconds)
        self.heartbeat = Heartbeat(ground.database, site.wakeups, site.settings.sweep_seconds)
        self.sweep()
        self.enrolled: dict[tuple[str, str], Enrolled] = {}
        """The enrollments by phone and sequence."""
        self.numbers = 0

    def new_worker(self) -> Worker:
        """A worker process that has just started."""
        site, ground = self.site, self.ground
        prepare = Prepare(site.settings, ground.clock, self.known)
        intake = Intake(site.settings, ground.database, ground.clock, prepare)
        settler = Settler(ground.database, site.wakeups, ground.clock)
        return Worker(ground, site.settings, self.provider, self.promises, intake, settler)

    def next_number(self) -> int:
        """A number that nothing else has."""
        self.numbers += 1
        return self.numbers

    def sweep(self) -> None:
        """The leader beats and sweeps."""
        self.heartbeat.beat()
        self.sweeper.sweep()
        self.has_compared = True
        """Whether a leader has made sure that the database is no older copy of itself: enrolling waits for that."""

    def report(self, accepted: Accepted, status: str) -> None:
        """What the webhook does with a status callback whose token names the attempt."""
        report = DeliveryReport(accepted.id, status, None, accepted.message.to, accepted.attempt, {})
        with self.ground.database.transaction() as session:
            take_report(session, self.ground.clock, self.ground.tenant(), report)
