"""The rule `stale_after`: the leader of the sweep ends enrollments in which nothing has happened for so long."""

import time
from collections.abc import Callable
from typing import Final

import psycopg
import structlog

from engine.database import Database
from engine.outbox.leave import EXIT_RULE
from engine.outbox.leave_many import CHUNK
from engine.outbox.stale import Rule, end, find, rules
from schema.definition.duration import written

log = structlog.get_logger(__name__)

#: Real seconds between two looks; the first is when a process becomes the leader.
LOOK_SECONDS: Final = 60.0


class StaleRule:
    """Ends what the versions' rules call stale."""

    def __init__(self, database: Database) -> None:
        """Prepare."""
        self._database = database
        self._next = float("-inf")

    def apply(self, going_on: Callable[[], object]) -> int:
        """Look if it is time to, and return how many enrollments ended. `going_on` is called before each chunk."""
        if time.monotonic() < self._next:
            return 0
        self._next = time.monotonic() + LOOK_SECONDS
        with self._database.transaction() as session:
            found = rules(session)
        return sum(self._apply(rule, going_on) for rule in found)

    def _apply(self, rule: Rule, going_on: Callable[[], object]) -> int:
        with self._database.transaction() as session:
            stale = find(session, rule.workspace_id, rule.idle, versions=rule.versions)
        ids = sorted({one.enrollment for one in stale})
        ended = 0
        for start in range(0, len(ids), CHUNK):
            going_on()
            ended += self._end(rule, ids[start : start + CHUNK])
        if ended:
            log.info("stale enrollments ended by their rule", enrollments=ended, workspace=rule.workspace_id)
        return ended

    def _end(self, rule: Rule, ids: list[int]) -> int:
        because = f"nothing happened for {written(round(rule.idle.total_seconds()))}"
        try:
            with self._database.transaction() as session:
                return len(end(session, rule.workspace_id, rule.idle, ids, EXIT_RULE, because, rule.versions))
        except psycopg.errors.DeadlockDetected:
            log.info("stale enrollments are left for the next look: somebody is at one of their tasks", chunk=len(ids))
            return 0
