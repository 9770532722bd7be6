"""A database that was restored from a backup: noticed, and what may have gone out since is held."""

from threading import Thread
from typing import Any

import pytest
import redis

from deploy.chaos.proxy import Proxy
from deploy.chaos.trap import Moment, Strike
from deploy.cli.doctor import _backups
from deploy.cli.session import Open
from engine.clock import SequenceClock
from engine.errors import Unavailable
from engine.outbox.dispatch import FENCES, RESTORED, read_pulse
from engine.outbox.evidence import Evidence, accept_evidence
from engine.settings import Settings
from engine.wakeups import Wakeups
from engine.wakeups.wakeups import BEAT
from producers.review import Decision, decide
from producers.tasks.acts import complete
from workers.heartbeat import Heartbeat
from workers.sweeper import Sweeper

GENEROUS = 60.0


@pytest.fixture
def wakeups(redis_url: str) -> Wakeups:
    return Wakeups(redis_url)


def beat(world: Any, wakeups: Wakeups, times: int = 1) -> None:
    """A leader's heartbeats, each of another leader: what matters is in the servers."""
    for _ in range(times):
        Heartbeat(world.database, wakeups, sweep_seconds=1).beat()


def go_back(world: Any, beats: int) -> None:
    """What a restore does to the heartbeat: an older number, and a gate that has shut."""
    world.execute("UPDATE dispatch SET beat = beat - %s, open_until = now() - interval '1 hour'", beats)


def test_what_fell_due_since_the_backup_is_held(world: Any, wakeups: Wakeups) -> None:
    world.enroll(count=2)
    beat(world, wakeups, 3)
    go_back(world, 2)
    beat(world, wakeups)
    assert world.rows("status, reason", "step_order = 1") == [("review", RESTORED)] * 2
    assert world.rows("status", "step_order > 1") == [("pending",)] * 4


VISIT = """
sequence: visit
steps: [{key: ring, type: call}, {key: thanks, type: sms, body: Thanks}]
"""


def test_tasks_and_other_gates_are_not_held(world: Any, wakeups: Wakeups) -> None:
    """Nothing can have gone out of them; what waits behind them has other names from now on."""
    world.publish(VISIT)
    world.enroll("visit")
    beat(world, wakeups, 3)
    go_back(world, 2)
    beat(world, wakeups)
    assert world.rows("step_key, status, fence") == [("ring", "pending", 0), ("thanks", "waiting", FENCES)]


def test_a_message_behind_a_gate_of_which_a_provider_tells_is_not_sent_again(world: Any) -> None:
    world.publish(VISIT)
    (enrolled,) = world.enroll("visit")
    (row,) = world.ids("step_key = 'thanks'")
    with world.database.transaction() as session:
        accept_evidence(session, SequenceClock(world.database), Evidence(1, row, 1, "SM1"))
        complete(session, 1, enrolled.enrollment_id, "ring")
    assert world.rows("status, reason", "step_key = 'thanks'") == [
        ("review", "it is known to have been accepted: the database was restored from a backup")
    ]


@pytest.mark.parametrize(
    ("delay", "lost", "becomes"),
    [
        ("0 minutes", "1 minute", ("review", RESTORED)),
        ("1 hour", "2 hours", ("review", RESTORED)),
        ("2 hours", "1 hour", ("pending", None)),
    ],
)
def test_what_may_have_gone_out_behind_a_gate_in_the_time_that_was_lost_is_held(
    world: Any, wakeups: Wakeups, delay: str, lost: str, becomes: tuple[str, str | None]
) -> None:
    world.publish(VISIT.replace("sms,", f"sms, delay: {delay},"))
    (before,) = world.enroll("visit")
    beat(world, wakeups, 3)
    go_back(world, 2)
    world.execute("UPDATE dispatch SET beaten_at = beaten_at - %s::interval", lost)
    beat(world, wakeups)
    (after,) = world.enroll("visit")
    for enrolled in (before, after):
        with world.database.transaction() as session:
            complete(session, 1, enrolled.enrollment_id, "ring")
    assert world.rows("status, reason", "step_key = 'thanks'") == [becomes, ("pending", None)]


def test_an_enrollment_whose_last_step_is_held_is_complete(world: Any, wakeups: Wakeups) -> None:
    """As behind every row in review; having it sent again opens it again."""
    world.publish("sequence: single\nsteps: [{key: only, type: sms, body: Hi}]")
    world.enroll("single")
    world.enroll()
    beat(world, wakeups, 3)
    go_back(world, 2)
    beat(world, wakeups)
    assert world.query("SELECT status FROM enrollments ORDER BY id") == [("completed",), ("active",)]


def test_no_row_gets_an_id_that_the_backup_has_forgotten(world: Any, wakeups: Wakeups) -> None:
    beat(world, wakeups, 2)
    world.enroll(count=2)
    forgotten = world.ids()
    world.execute("DELETE FROM outbox")
    world.execute("SELECT setval('outbox_id_seq', 1, false)")
    go_back(world, 1)
    beat(world, wakeups)
    world.enroll()
    assert min(world.ids()) > max(forgotten)


def test_no_row_gets_an_id_that_was_given_out_after_an_earlier_restore(world: Any, wakeups: Wakeups) -> None:
    beat(world, wakeups, 2)
    given: list[int] = []
    for _ in range(2):
        world.execute("SELECT setval('outbox_id_seq', 1, false)")
        go_back(world, 1)
        beat(world, wakeups)
        world.enroll(count=2)
        assert not set(world.ids()) & set(given)
        given += world.ids()
        world.execute("DELETE FROM outbox")


@pytest.mark.parametrize("status", ["pending", "unknown", "review"])
def test_no_attempt_is_named_like_one_that_the_backup_has_forgotten(world: Any, wakeups: Wakeups, status: str) -> None:
    world.enroll()
    beat(world, wakeups, 2)
    row_id = world.ids()[0]
    world.execute("UPDATE outbox SET status = %s, fence = 1 WHERE id = %s", status, row_id)
    forgotten = range(1, 100)  # looked up, sent again by an operator, and tried so many times
    go_back(world, 1)
    beat(world, wakeups)
    with world.database.transaction() as session:
        decide(session, SequenceClock(world.database), 1, row_id, Decision.RESEND)
    (again,) = world.claim([row_id])
    assert again.fence not in forgotten


def test_a_row_that_was_moved_before_a_leader_has_compared_is_held(world: Any, wakeups: Wakeups) -> None:
    """It may have gone out at the time it had before: a callback has moved it, in the instant after the restore."""
    world.enroll()
    beat(world, wakeups, 2)
    first, second, _ = world.ids()
    world.begin([first])
    world.execute("UPDATE clock SET sequence_from = sequence_from + interval '2 days'")
    go_back(world, 1)
    with world.database.transaction() as session:
        accept_evidence(session, SequenceClock(world.database), Evidence(1, first, 1, "SM1"))
    assert world.rows("status, due_at > sequence_now()", f"id = {second}") == [("pending", True)]
    beat(world, wakeups)
    assert world.rows("status, reason", f"id = {second}") == [("review", RESTORED)]


def test_what_is_known_to_have_been_accepted_is_not_held(world: Any, wakeups: Wakeups) -> None:
    world.enroll()
    beat(world, wakeups, 2)
    (row,) = world.begin(world.ids("step_order = 1"))
    world.execute(
        "INSERT INTO attempt_records SELECT outbox_id, 7, workspace_id, channel, recipient, payload, lateness_seconds,"
        " started_at, now(), 'accepted', 'SM1' FROM attempts"
    )
    go_back(world, 1)
    beat(world, wakeups)
    assert world.rows("status, provider_id", f"id = {row.id}") == [("sent", "SM1")]


def test_an_enrollment_with_a_row_in_doubt_is_not_complete_when_all_behind_it_is_held(
    world: Any, wakeups: Wakeups
) -> None:
    world.enroll()
    beat(world, wakeups, 2)
    world.begin(world.ids("step_order = 1"))
    world.execute("UPDATE outbox SET status = 'unknown', lease_until = NULL WHERE step_order = 1")
    world.execute("UPDATE clock SET sequence_from = sequence_from + interval '9 days'")
    go_back(world, 1)
    beat(world, wakeups)
    assert world.statuses() == ["unknown", "review", "review"]
    assert world.query("SELECT status FROM enrollments") == [("active",)]


def test_nothing_is_claimed_before_a_leader_has_compared(world: Any, wakeups: Wakeups) -> None:
    world.enroll()
    beat(world, wakeups)
    go_back(world, 0)
    assert world.claim(world.ids()) == []
    beat(world, wakeups)
    assert len(world.claim(world.ids())) == 1


def test_a_row_that_the_backup_had_in_flight_is_held_too(world: Any, wakeups: Wakeups) -> None:
    world.enroll()
    beat(world, wakeups, 2)
    world.claim(world.ids())
    go_back(world, 1)
    beat(world, wakeups)
    assert world.statuses()[0] == "review"


def test_it_is_held_once(world: Any, wakeups: Wakeups) -> None:
    beat(world, wakeups, 3)
    go_back(world, 2)
    beat(world, wakeups)
    world.enroll()
    beat(world, wakeups)
    assert world.statuses()[0] == "pending"


class Overtaken(Wakeups):
    """Another leader beats whenever this one has asked Redis, or is about to."""

    when: str
    other: Heartbeat

    def known_beat(self, database: str) -> int:
        if self.when == "before":
            self.other.beat()
        known = super().known_beat(database)
        if self.when == "after":
            self.other.beat()
        return known


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_leader_that_another_has_overtaken_holds_nothing(
    world: Any, wakeups: Wakeups, redis_url: str, when: str
) -> None:
    """It was stopped in the middle of a beat, and replaced."""
    world.enroll()
    overtaken = Overtaken(redis_url)
    overtaken.when = when
    overtaken.other = Heartbeat(world.database, wakeups, sweep_seconds=1)
    late = Heartbeat(world.database, overtaken, sweep_seconds=1)
    for _ in range(3):
        late.beat()
    assert world.statuses()[0] == "pending"


def test_the_doctor_is_not_overtaken_either(world: Any, wakeups: Wakeups, redis_url: str, settings: Settings) -> None:
    beat(world, wakeups)
    overtaken = Overtaken(redis_url)
    overtaken.when = "before"
    overtaken.other = Heartbeat(world.database, wakeups, sweep_seconds=1)
    assert _backups(Open(settings, world.database, overtaken)) == "the database is not an older copy of itself"
    go_back(world, 1)
    with pytest.raises(Unavailable, match="restored from a backup"):
        _backups(Open(settings, world.database, wakeups))


def test_the_heart_beats_during_a_long_sweep(world: Any, wakeups: Wakeups, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that dispatch stays open, and no other process takes the leader for one that hangs."""
    monkeypatch.setattr("workers.sweeper.BEAT", 0.0)
    monkeypatch.setattr("workers.stuck_rows.PAGE", 2)
    world.enroll(count=7)
    Sweeper(world.database, wakeups, SequenceClock(world.database), sweep_seconds=1).sweep()
    with world.database.transaction() as session:
        assert read_pulse(session).beat == 5


def test_a_flushed_redis_holds_nothing(world: Any, wakeups: Wakeups, redis_url: str) -> None:
    world.enroll()
    beat(world, wakeups, 3)
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    beat(world, wakeups)
    assert world.statuses()[0] == "pending"


def test_another_database_on_the_same_redis_holds_nothing(world: Any, wakeups: Wakeups) -> None:
    world.enroll()
    beat(world, wakeups, 3)
    world.execute("UPDATE dispatch SET database = gen_random_uuid(), beat = 0")
    beat(world, wakeups)
    assert world.statuses()[0] == "pending"


def test_with_redis_away_a_leader_still_remembers(world: Any) -> None:
    world.enroll()
    heartbeat = Heartbeat(world.database, Wakeups("redis://127.0.0.1:1/0"), sweep_seconds=1)
    heartbeat.beat()
    heartbeat.beat()
    assert world.statuses()[0] == "pending"
    go_back(world, 1)
    heartbeat.beat()
    assert world.statuses()[0] == "review"


def test_a_leader_that_was_replaced_in_the_middle_of_a_beat_holds_nothing(
    world: Any, wakeups: Wakeups, redis_url: str
) -> None:
    """It had looked at the database, and hears from Redis of beats that the database has only had since."""
    world.enroll()
    beat(world, wakeups, 2)
    with Proxy.before(redis_url) as proxy:
        trap = proxy.trap(b"GET\r\n", BEAT.encode(), strike=Strike.STALL, moment=Moment.BEFORE)
        slow = Wakeups(proxy.url(redis_url))
        leader = Thread(target=Heartbeat(world.database, slow, sweep_seconds=1).beat)
        leader.start()
        assert trap.wait(GENEROUS)
        beat(world, wakeups, 2)
        proxy.release()
        leader.join(GENEROUS)
        assert not leader.is_alive()
        slow.close()
    assert world.statuses()[0] == "pending"


def test_the_gate_shuts_by_itself(world: Any, wakeups: Wakeups) -> None:
    beat(world, wakeups)
    with world.database.transaction() as session:
        assert read_pulse(session).is_open
    world.execute("UPDATE dispatch SET open_until = now()")
    with world.database.transaction() as session:
        assert not read_pulse(session).is_open
