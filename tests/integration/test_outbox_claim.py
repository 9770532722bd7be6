"""The claim: only what may go out now, and by one worker only."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from engine.outbox.claim import claim, left_alone


def test_only_the_first_step_is_due(world: Any) -> None:
    world.enroll()
    claimed = world.claim(world.ids())
    assert [row.step_key for row in claimed] == ["first"]
    assert claimed[0].phone == "+12025550001"
    assert world.statuses() == ["sending", "pending", "pending"]


def test_a_claimed_row_is_not_claimed_again(world: Any) -> None:
    world.enroll()
    (first,) = world.claim(world.ids())
    assert first.fence == 1
    assert world.claim(world.ids()) == []
    assert world.statuses() == ["sending", "pending", "pending"]


def test_many_workers_share_rows_without_overlap(world: Any) -> None:
    world.enroll(count=40)
    ids = world.ids()
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda _: world.claim(ids), range(16)))
    claimed = [row.id for rows in claims for row in rows]
    assert sorted(claimed) == sorted(world.ids("step_order = 1"))


def test_rows_that_another_worker_is_claiming_are_left_alone(world: Any) -> None:
    world.enroll(count=2)
    first, second = world.ids("step_order = 1")
    with world.database.transaction() as session:
        assert [row.id for row in claim(session, [first])] == [first]
        with world.database.transaction() as other:
            assert [row.id for row in claim(other, [first, second])] == [second]


def test_a_step_never_overtakes_the_one_before(world: Any) -> None:
    world.enroll()
    world.execute("UPDATE outbox SET due_at = now() - interval '1 hour'")
    first, second, _third = world.ids()
    assert world.claim([second]) == []
    assert [row.id for row in world.claim([first, second])] == [first]


@pytest.mark.parametrize("status", ["unknown", "sending", "waiting", "open"])
def test_a_step_waits_behind_one_that_is_not_resolved(world: Any, status: str) -> None:
    world.enroll()
    lease = "now() + interval '1 minute'" if status == "sending" else "NULL"
    world.execute(f"UPDATE outbox SET status = '{status}', lease_until = {lease} WHERE step_order = 1")
    world.execute("UPDATE outbox SET due_at = now() - interval '1 hour'")
    assert world.claim(world.ids()) == []


@pytest.mark.parametrize("status", ["failed", "skipped", "review", "done", "cancelled"])
def test_the_sequence_goes_on_behind_one_that_has_ended(world: Any, status: str) -> None:
    world.enroll()
    world.execute(f"UPDATE outbox SET status = '{status}', reason = 'test' WHERE step_order = 1")
    world.execute("UPDATE outbox SET due_at = now() - interval '1 hour'")
    assert [row.step_key for row in world.claim(world.ids())] == ["second"]


@pytest.mark.parametrize(
    "change",
    [
        "status = 'paused', paused_at = now()",
        "status = 'cancelled', cancelled_at = now(), exit_reason = 'operator'",
        "status = 'completed', completed_at = now()",
    ],
)
def test_nothing_is_claimed_for_an_enrollment_that_is_not_active(world: Any, change: str) -> None:
    world.enroll()
    world.execute(f"UPDATE enrollments SET {change}")
    assert world.claim(world.ids()) == []


def test_nothing_is_claimed_before_its_back_off_has_ended(world: Any) -> None:
    world.enroll()
    world.execute("UPDATE outbox SET retry_at = clock_timestamp() + interval '1 hour'")
    assert world.claim(world.ids()) == []
    world.execute("UPDATE outbox SET retry_at = clock_timestamp() - interval '1 second'")
    assert len(world.claim(world.ids())) == 1


def test_due_is_read_on_the_sequence_clock(world: Any) -> None:
    world.enroll()
    world.execute("UPDATE outbox SET due_at = now() + interval '2 days' WHERE step_order = 1")
    assert world.claim(world.ids()) == []
    world.execute(
        "INSERT INTO clock (real_from, sequence_from, rate) SELECT now(), sequence_now() + interval '3 days', 1"
    )
    assert len(world.claim(world.ids())) == 1


def test_a_suppressed_recipient_is_told(world: Any) -> None:
    world.enroll()
    world.execute(
        "INSERT INTO suppressions (workspace_id, channel, address, reason) VALUES (1, 'sms', '+12025550001', 'stop')"
    )
    (row,) = world.claim(world.ids())
    assert row.suppressed == "stop"


def test_a_suppression_counts_in_its_workspace_and_channel_only(world: Any) -> None:
    world.enroll()
    world.execute("INSERT INTO workspaces (key, name) VALUES ('other', 'Other')")
    world.execute(
        "INSERT INTO suppressions (workspace_id, channel, address, reason)"
        " SELECT id, 'sms', '+12025550001', 'stop' FROM workspaces WHERE key = 'other'"
    )
    world.execute(
        "INSERT INTO suppressions (workspace_id, channel, address, reason) VALUES (1, 'email', '+12025550001', 'stop')"
    )
    (row,) = world.claim(world.ids())
    assert row.suppressed is None


def test_rows_left_alone_tell_why(world: Any) -> None:
    world.enroll(count=2)
    first, second, *_ = world.ids()
    world.claim([first])
    with world.database.transaction() as session:
        rows = {row.id: row for row in left_alone(session, world.ids())}
    assert rows[first].status == "sending"
    assert rows[second].status == "pending" and not rows[second].may_go
    assert rows[world.ids("enrollment_id = (SELECT max(id) FROM enrollments)")[0]].may_go
