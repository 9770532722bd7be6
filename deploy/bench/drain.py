"""Waiting until all that is due has been settled, without being in the way of those who do it."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from deploy.bench.children import BrokenChild, wait_until
from deploy.bench.ground import Ground
from engine.wakeups.wakeups import QUEUE, WAITING

#: A rate is taken between these shares of the work: not at its start, and not at its tail.
FROM_SHARE: Final = 0.05
TO_SHARE: Final = 0.95

#: In seconds as epoch, in their order: the sequence clock is real time here.
ENDS: Final = """
SELECT extract(epoch FROM sent_at)::float8 FROM outbox
WHERE status = 'sent' AND (%(rows)s::bigint[] IS NULL OR id = ANY(%(rows)s::bigint[])) ORDER BY 1
"""

NOTHING_MOVES: Final = """
SELECT NOT EXISTS (SELECT FROM outbox WHERE status = 'sending') AND NOT EXISTS (
    SELECT FROM workspaces w JOIN outbox o ON o.workspace_id = w.id
    WHERE o.status = 'pending' AND o.due_at <= (SELECT sequence_now())
)
"""


def wait_until_settled(ground: Ground) -> None:
    """Wait until no wake-up is due or queued, and then until no row is due or being sent."""
    wait_until("nothing that is due is queued", lambda: _nothing_queued(ground))
    wait_until("all rows are settled", lambda: _nothing_moves(ground))


def settled_a_second(ground: Ground, rows: Sequence[int] | None = None) -> float:
    """Return the rate at which rows were settled, these or all that were, as the database noted it.

    Raises:
        BrokenChild: some of these were not sent.
    """
    with ground.database.transaction() as session:
        ends = [row[0] for row in session.execute(ENDS, {"rows": None if rows is None else list(rows)})]
    if rows is not None and len(ends) != len(rows):
        raise BrokenChild(f"only {len(ends)} of {len(rows)} rows were sent")
    return rate([(end, number) for number, end in enumerate(ends, start=1)], len(ends))


def rate(seen: list[tuple[float, int]], count: int) -> float:
    """How many a second between the two shares of the work; `seen` is how many were done at which real second.

    Raises:
        BrokenChild: they were done at one moment, so nothing can be said.
    """
    first, last = _moment(seen, count * FROM_SHARE), _moment(seen, count * TO_SHARE)
    if first == last:
        raise BrokenChild(f"{count} were done at one moment: too few to tell a rate")
    return count * (TO_SHARE - FROM_SHARE) / (last - first)


def _moment(seen: list[tuple[float, int]], done: float) -> float:
    """When so many were done, between two looks."""
    for (before, had), (after, has) in pairwise(seen):
        if has >= done:
            return before + (after - before) * max(done - had, 0) / max(has - had, 1)
    return seen[-1][0]


def _nothing_queued(ground: Ground) -> bool:
    now = ground.clock.now()
    return not ground.redis.zcount(WAITING, "-inf", now) and not ground.redis.hlen(f"{QUEUE}.msgs")


def _nothing_moves(ground: Ground) -> bool:
    with ground.database.transaction() as session:
        row = session.execute(NOTHING_MOVES).fetchone()
    return bool(row and row[0])
