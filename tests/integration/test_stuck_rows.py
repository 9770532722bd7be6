"""What a sweep wakes: rows whose wake-ups were lost; and what it leaves alone: rows that are queued and moving."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from many_rows import fill
from world import World

from engine import clock as sequence_clock
from engine.clock import SequenceClock
from engine.database import Database
from engine.outbox.hold import hold
from engine.outbox.sweep import BEGINNING, DUE_PAGE
from engine.wakeups import Wakeups
from engine.wakeups.wakeups import QUEUE, RETRYING, SWEPT, WAITING
from workers.stuck_rows import PAGE, SAMPLE, StuckRows, Swept

SWEEP_SECONDS = 2.0
MANY = 100_000


@pytest.fixture
def client(redis_url: str) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def wakeups(redis_url: str) -> Iterator[Wakeups]:
    wakeups = Wakeups(redis_url)
    yield wakeups
    wakeups.close()


class Sweeps:
    """A leader's sweeps."""

    def __init__(self, database: Database, wakeups: Wakeups) -> None:
        """Look at nothing yet."""
        self.wakeups = wakeups
        self.clock = SequenceClock(database)
        self.stuck = StuckRows(database, wakeups, self.clock, SWEEP_SECONDS)

    def sweep(self) -> Swept:
        """Sweep once."""
        return self.stuck.wake(lambda: None)

    def promote(self, moment: float) -> int:
        """Promote what is due, as a promoter did at that moment."""
        moved = 0
        while promoted := self.wakeups.promote(moment, moment).moved:
            moved += promoted
        return moved


@pytest.fixture
def sweeps(world: World, wakeups: Wakeups) -> Sweeps:
    return Sweeps(world.database, wakeups)


def schedule(world: World, wakeups: Wakeups, rows: list[int]) -> float:
    """Give rows their wake-ups, as a producer does; return when the last of them is due."""
    due = world.query("SELECT date_part('epoch', due_at), id FROM outbox WHERE id = ANY(%s)", rows)
    wakeups.schedule([(moment, [row_id]) for moment, row_id in due])
    return float(max(moment for moment, _ in due))


def waiting(client: "redis.Redis") -> list[int]:
    """The rows that have a wake-up."""
    return sorted(int(member) for member in client.zrange(WAITING, 0, -1))


def take(client: "redis.Redis", messages: int) -> list[int]:
    """Take messages off the queue, as workers do; return the rows that they name."""
    rows: list[int] = []
    for _ in range(messages):
        message_id = client.lpop(QUEUE)
        rows += json.loads(client.hget(f"{QUEUE}.msgs", message_id) or b"")["args"][0]
    return rows


def test_a_backlog_that_moves_is_left_alone(
    world: World, sweeps: Sweeps, wakeups: Wakeups, client: "redis.Redis"
) -> None:
    """Each sweep reads next to nothing of the twenty thousand rows that are due and queued."""
    backlog = fill(world, 20_000, ago=60)
    assert sweeps.promote(schedule(world, wakeups, backlog)) == 20_000
    looked_at = []
    for _ in range(10):
        swept = sweeps.sweep()
        assert swept.woken == 0
        looked_at.append(swept.looked_at)
        world.execute(
            "UPDATE outbox SET status = 'sent', sent_at = now() WHERE id = ANY(%s)", take(client, messages=10)
        )
    assert looked_at == [0] * 10


def test_what_a_sweep_has_woken_is_not_woken_again_while_it_is_queued(
    world: World, sweeps: Sweeps, client: "redis.Redis"
) -> None:
    """Though it fell due long before the first message was promoted."""
    fill(world, 3_000, ago=600)
    assert sweeps.sweep() == (3_000, 3_000)
    assert sweeps.promote(sweeps.clock.now()) == 3_000
    assert sweeps.sweep() == (0, 0)
    assert client.zcard(WAITING) == 0


def test_a_queue_that_was_lost_is_made_up_for_by_one_sweep(
    world: World, sweeps: Sweeps, wakeups: Wakeups, client: "redis.Redis"
) -> None:
    rows = fill(world, 2_500, ago=60)
    sweeps.promote(schedule(world, wakeups, rows))
    assert sweeps.sweep().woken == 0
    client.delete(QUEUE, f"{QUEUE}.msgs")
    assert sweeps.sweep().woken == 2_500
    assert waiting(client) == sorted(rows)


def test_a_message_that_was_lost_with_its_worker_is_made_up_for(
    world: World, sweeps: Sweeps, wakeups: Wakeups, client: "redis.Redis"
) -> None:
    """While the rest of the queue is left alone."""
    first, second = fill(world, 100, ago=60), fill(world, 200, ago=10)
    sweeps.promote(schedule(world, wakeups, first))
    sweeps.promote(schedule(world, wakeups, second))
    assert sweeps.sweep().woken == 0
    assert sorted(take(client, messages=1)) == sorted(first)
    assert sweeps.sweep() == (100, 100)
    assert waiting(client) == sorted(first)


def test_wake_ups_that_were_lost_in_part_are_made_up_for_once_they_are_due(
    world: World, sweeps: Sweeps, wakeups: Wakeups, client: "redis.Redis"
) -> None:
    """Nothing else tells of them: Redis goes on, and most of what falls due soon has its wake-up."""
    far = fill(world, 500, ago=-3_600)
    schedule(world, wakeups, far)
    sweeps.sweep()
    lost = far[::7]
    client.zrem(WAITING, *lost)
    assert sweeps.sweep().woken == 0
    with world.database.transaction() as session:
        session.execute("UPDATE outbox SET due_at = now() - interval '1 second' WHERE id = ANY(%s)", (lost,))
    assert sweeps.sweep().woken == len(lost)
    assert waiting(client) == sorted(far)


def test_sorted_sets_that_were_lost_are_made_up_for_before_their_time(
    world: World, sweeps: Sweeps, wakeups: Wakeups, client: "redis.Redis"
) -> None:
    soon = fill(world, 2 * SAMPLE, ago=-2 * SWEEP_SECONDS + 2)
    late = fill(world, 50, ago=5)
    schedule(world, wakeups, [*soon, *late])
    assert sweeps.sweep().woken == 0
    client.delete(WAITING, SWEPT)
    assert sweeps.sweep().woken == len(soon) + len(late)
    assert waiting(client) == sorted([*soon, *late])


def test_retries_that_were_lost_are_made_up_for(world: World, sweeps: Sweeps, client: "redis.Redis") -> None:
    """At once, though their back-off ends long after the next sweep: their due times are behind it then."""
    rows = fill(world, 30, ago=60)
    world.execute("UPDATE outbox SET retry_at = now() + interval '10 minutes', attempts = 1")
    assert sweeps.sweep().woken == 30
    assert sweeps.sweep().woken == 0
    client.flushdb()
    assert sweeps.sweep().woken == 30
    assert sorted(int(member) for member in client.zrange(RETRYING, 0, -1)) == rows


def test_a_redis_that_went_back_to_an_older_dump_is_noticed(
    world: World, sweeps: Sweeps, wakeups: Wakeups, client: "redis.Redis"
) -> None:
    """It remembers messages that are done, and nothing of what was scheduled since."""
    old = fill(world, 100, ago=600)
    sweeps.promote(schedule(world, wakeups, old))
    sweeps.sweep()
    dump = {key: client.dump(key) for key in client.scan_iter()}
    world.execute("UPDATE outbox SET status = 'sent', sent_at = now()")
    new = fill(world, 300, ago=620)
    assert sweeps.sweep().woken == 300
    client.flushdb()
    for key, value in dump.items():
        client.restore(key, 0, value)
    assert sweeps.sweep().woken == 300
    assert waiting(client) == sorted(new)


def test_a_clock_that_jumped_makes_nothing_look_stuck(
    world: World, sweeps: Sweeps, wakeups: Wakeups, client: "redis.Redis"
) -> None:
    """What it jumped over fell due at the jump, behind all that was queued before."""
    now = fill(world, 100, ago=60)
    later = fill(world, 3_000, ago=-86_400)
    schedule(world, wakeups, later)
    sweeps.promote(schedule(world, wakeups, now))
    sweeps.sweep()
    with world.database.transaction() as session:
        sequence_clock.set_rate(session, 86_400 * 3)
    sweeps.clock._read_at = float("-inf")  # it is long since it was read
    assert sweeps.sweep().woken == 0
    assert waiting(client) == sorted(later)


def paused_sequence(world: World) -> None:
    fill(world, MANY, ago=3_600, sequence="other")
    with world.database.transaction() as session:
        ((sequence_id,),) = session.execute("SELECT id FROM sequences WHERE key = 'other'").fetchall()
        assert hold(session, 1, sequence_id, "test", None)


def paused_enrollments(world: World) -> None:
    fill(world, MANY, ago=3_600, status="paused")


def paused_channel(world: World) -> None:
    pause_emails(world, fill(world, MANY, ago=3_600, type="email")[0])


def pause_emails(world: World, trying: int) -> None:
    world.execute("UPDATE outbox SET status = 'sending', lease_until = now() + interval '1 hour' WHERE id = %s", trying)
    world.execute(
        "INSERT INTO pauses (workspace_id, channel, outbox_id, until)"
        " VALUES (1, 'email', %s, now() + interval '1 hour')",
        trying,
    )


def behind_unknown_rows(world: World) -> None:
    fill(world, MANY, ago=3_600, statuses=("unknown", "pending"))


def behind_open_tasks(world: World) -> None:
    fill(world, MANY, ago=3_600, statuses=("open", "pending"))


@pytest.mark.parametrize(
    "what_is_kept", [paused_sequence, paused_enrollments, paused_channel, behind_unknown_rows, behind_open_tasks]
)
def test_a_sweep_costs_the_same_however_many_rows_are_kept(
    world: World, database_url: str, wakeups: Wakeups, client: "redis.Redis", what_is_kept: Callable[[World], None]
) -> None:
    """And it wakes those that may go beside them."""
    world.publish("sequence: other\nsteps: [{key: s1, type: sms, body: Hi}]")
    what_is_kept(world)
    database = Database(database_url)
    sweeps = Sweeps(database, wakeups)
    assert sweeps.sweep().woken == 0  # of a leader that begins: it looks at all of them once
    before = buffers(world, database)
    stuck = fill(world, 50, ago=1)
    swept = sweeps.sweep()
    assert (swept.woken, swept.looked_at) == (50, PAGE + 50)
    assert waiting(client) == sorted(stuck)
    assert buffers(world, database) - before < MANY / 5
    client.flushdb()
    assert sweeps.sweep() == (50, MANY + 50 - (what_is_kept is paused_channel))
    database.close()


def test_rows_of_a_paused_workspace_are_not_looked_at(world: World, sweeps: Sweeps) -> None:
    fill(world, 5_000, ago=60)
    with world.database.transaction() as session:
        hold(session, 1, None, "test", None)
    assert sweeps.sweep() == (0, 0)


def test_what_waited_for_a_channel_is_woken_by_the_sweep_after_it(world: World, sweeps: Sweeps) -> None:
    trying, *others = fill(world, 3 * PAGE, ago=3_600, type="email")
    pause_emails(world, trying)
    assert sweeps.sweep().woken == 0
    world.execute("DELETE FROM pauses")
    sweeps.stuck.look_again([1])
    assert sweeps.sweep().woken == len(others)


def test_rows_that_were_kept_are_looked_at_again_page_by_page(world: World, sweeps: Sweeps) -> None:
    """Whoever lets them go wakes them; that wake-up may be lost."""
    rows = fill(world, 3 * PAGE, ago=3_600, status="paused")
    assert sweeps.sweep() == (0, 3 * PAGE)
    assert sweeps.sweep() == (0, PAGE)
    world.execute(
        "UPDATE enrollments SET status = 'active', paused_at = NULL"
        " WHERE id = (SELECT enrollment_id FROM outbox WHERE id = %s)",
        rows[-1],
    )
    assert sum(sweeps.sweep().woken for _ in range(3)) == 1


def buffers(world: World, database: Database) -> int:
    """The pages of the two large tables and their indexes that the sessions of a pool have touched so far."""
    for each in (database, world.database):
        with each.transaction() as session:
            session.execute("SELECT pg_stat_force_next_flush()")
    ((count,),) = world.query(
        "SELECT sum(heap_blks_hit + heap_blks_read + idx_blks_hit + idx_blks_read)::bigint FROM pg_statio_user_tables"
        " WHERE relname IN ('outbox', 'enrollments')"
    )
    return int(count)


def test_a_page_costs_the_same_whatever_the_statistics_say(world: World) -> None:
    """With those of empty tables, of full ones, and of ones in which nobody is active."""
    fill(world, 20_000, ago=3_600, statuses=("failed", "pending"))
    fill(world, 20_000, ago=3_600, statuses=("unknown", "pending"))
    with world.database.transaction() as session:
        never = page_buffers(session)
        session.execute("ANALYZE outbox, enrollments")
        fresh = page_buffers(session)
    world.execute("UPDATE enrollments SET status = 'completed', completed_at = now()")
    with world.database.transaction() as session:
        session.execute("ANALYZE outbox, enrollments")
    world.execute("UPDATE enrollments SET status = 'active', completed_at = NULL")
    with world.database.transaction() as session:
        old = page_buffers(session)
    assert max(never, fresh, old) <= 20 * PAGE


def page_buffers(session: Any) -> int:
    """The buffers that a page of rows touches."""
    parameters = {
        "workspace": 1,
        "after_due": BEGINNING.due_at,
        "after_id": 0,
        "until": sequence_clock.sequence_now(session),
        "limit": PAGE,
    }
    ((plans,),) = session.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + DUE_PAGE, parameters).fetchall()
    top = plans[0]["Plan"]
    return int(top["Shared Hit Blocks"] + top["Shared Read Blocks"])
