"""A group of people enrolled on a stage, and the story of their messages, apart from those of others."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stage import Play, wait_for

from deploy.audit import Kind
from deploy.audit.verdict import EXAMPLES

#: How many rows of the whole stage are on their way: an audit is to be done when there is none.
MOVING = "SELECT count(*) FROM outbox WHERE status = 'sending' OR status = 'pending' AND due_at <= sequence_now()"


@dataclass(frozen=True)
class Group:
    """Outbox rows that belong together."""

    play: Play
    rows: Sequence[int]

    def statuses(self) -> Counter[str]:
        """How many of them have each status."""
        return Counter(
            dict(self._query("SELECT status, count(*) FROM outbox WHERE id = ANY(%s) GROUP BY 1", list(self.rows)))
        )

    def reasons(self) -> Counter[str | None]:
        """How many of them say each reason."""
        return Counter(
            dict(self._query("SELECT reason, count(*) FROM outbox WHERE id = ANY(%s) GROUP BY 1", list(self.rows)))
        )

    def attempts(self, columns: str = "outcome, looks") -> list[tuple[Any, ...]]:
        """Their attempts, row by row, the first first."""
        return self._query(
            f"SELECT {columns} FROM attempts WHERE outbox_id = ANY(%s) ORDER BY outbox_id, fence", list(self.rows)
        )

    def until(self, **counts: int) -> None:
        """Wait until so many of them have each of these statuses, and none another."""
        wait_for(lambda: self.statuses() == counts, lambda: (counts, self.statuses()))

    def judge(self, duplicated: int = 0) -> None:
        """The auditor: each is sent and was accepted, and exactly once, but for so many that are known not to be."""
        self.until(sent=len(self.rows))
        wait_for(lambda: self._query(MOVING) == [(0,)], "nothing moves")
        found = self.play.stage.audit()
        theirs = [
            violation
            for kept in found.examples.values()
            for violation in kept
            if violation.row is None or violation.row in self.rows
        ]
        assert max(found.counts.values(), default=0) <= EXAMPLES, found.counts  # so all of them were looked at
        twice = [violation for violation in theirs if violation.kind is Kind.DUPLICATED]
        assert len(twice) == duplicated, list(map(str, theirs))
        assert theirs == twice, list(map(str, theirs))

    def _query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self.play.query(sql, *parameters)


def enroll_together(play: Play, count: int, sequence: str = "sms", *, hinted: bool = True) -> Group:
    """Enroll new people whose messages fall due at the same moment, with or without wake-ups."""
    wakeups = play.fill(count, sequence)
    if hinted:
        play.stage.wakeups.schedule(wakeups)
    return Group(play, sorted(row_id for _, ids in wakeups for row_id in ids))
