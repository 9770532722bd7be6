"""What Prometheus reads from the database and from Redis when it asks the host whose worker leads."""

import time
from collections import Counter
from collections.abc import Iterator
from threading import Lock
from typing import Final

import psycopg
import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from engine.clock import SequenceClock
from engine.database import Database
from engine.errors import CadenzaError
from engine.outbox.contact_holds import count_doubtful
from engine.outbox.counts import enrollments_by_source, oldest_due, rows_by_status
from engine.outbox.pause import paused
from engine.wakeups import Wakeups
from schema.states import RowStatus
from workers.leader import is_led_from
from workers.sweeper import LEADER_LOCK

log = structlog.get_logger(__name__)

#: Real seconds for which what was read is told again, and for which a host that led goes on telling it.
FRESH: Final = 5.0


class Gauges(Collector):
    """Exports rows, enrollments and wake-ups from one host of all, so that a sum over the hosts is right.

    Nothing is exported while Postgres does not answer: nobody knows who leads.
    """

    def __init__(self, database: Database, wakeups: Wakeups, clock: SequenceClock, host: str) -> None:
        """Prepare. `host` is what this supervisor's worker processes lead under."""
        self._database = database
        self._wakeups = wakeups
        self._clock = clock
        self._host = host
        self._lock = Lock()
        self._read_at = float("-inf")
        self._metrics: list[Metric] = []

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics, at most five seconds old; none from a host that does not lead."""
        with self._lock:
            if time.monotonic() - self._read_at > FRESH:
                self._metrics = self._from_database()
                if self._metrics:
                    self._metrics += self._from_redis()
                    self._read_at = time.monotonic()
            yield from self._metrics

    def describe(self) -> Iterator[Metric]:
        """Nothing: what is told depends on which servers answer."""
        yield from ()

    def _from_database(self) -> list[Metric]:
        rows = GaugeMetricFamily("cadenza_outbox_rows", "Outbox rows by status", labels=["status"])
        oldest = GaugeMetricFamily("cadenza_oldest_due_seconds", "Real seconds since the oldest due row fell due")
        enrolled = CounterMetricFamily("cadenza_enrollments", "Enrollments by where they came from", labels=["source"])
        paused_now = GaugeMetricFamily("cadenza_paused", "Workspaces of which a channel pauses", labels=["channel"])
        doubtful = GaugeMetricFamily("cadenza_doubtful_messages", "Messages that may be opt-outs")
        try:
            with self._database.transaction() as session:
                if not is_led_from(session, LEADER_LOCK, self._host):
                    return []
                counts = rows_by_status(session)
                first = oldest_due(session)
                sources = enrollments_by_source(session)
                in_doubt = count_doubtful(session)
                pauses = Counter(pause.channel for pause in paused(session))
            late = self._clock.lateness(first.due_at, first.retry_at) if first else 0.0
        except (CadenzaError, psycopg.Error) as error:
            log.warning("no figures from the database", error=str(error).strip())
            return []
        for status in RowStatus:
            rows.add_metric([status.value], counts.get(status.value, 0))
        oldest.add_metric([], max(0.0, late))
        for source in ("event", "file"):
            enrolled.add_metric([source], sources.get(source, 0))
        for channel in ("email", "sms"):
            paused_now.add_metric([channel], pauses[channel])
        doubtful.add_metric([], in_doubt)
        return [rows, oldest, enrolled, paused_now, doubtful]

    def _from_redis(self) -> list[Metric]:
        wakeups = GaugeMetricFamily("cadenza_wakeups", "Wake-ups by state; queued counts messages", labels=["state"])
        try:
            counts = self._wakeups.counts()
        except CadenzaError as error:
            log.warning("no figures from Redis", error=str(error))
            return []
        for state, count in counts.items():
            wakeups.add_metric([state], count)
        return [wakeups]
