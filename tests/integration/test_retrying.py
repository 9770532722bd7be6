"""Failed messages are sent again when an operator asks, with the safety of every hand-over."""

from datetime import timedelta

import pytest
from stage_site import Site
from world import World

from engine.clock import advance
from engine.errors import InvalidInput, NotFound
from engine.wakeups import Wakeups
from producers.operator import Operator
from producers.retrying import Retried, plan_row, plan_sequence, run_retry
from producers.steering import cancel

WHO = Operator("default", "ann", "the text was mended")


def fail(world: World, enrollment: int = 1, code: str = "21617") -> int:
    """Let the first step of an enrollment have failed just now."""
    (row,) = world.ids(f"enrollment_id = {enrollment} AND step_order = 1")
    world.execute(
        "UPDATE outbox SET status = 'failed', reason = 'too long', error_code = %s, attempts = 3,"
        " counts_from = sequence_now() WHERE id = %s",
        code,
        row,
    )
    return row


def jump(world: World, days: float) -> None:
    with world.database.transaction() as session:
        advance(session, timedelta(days=days))


def retry(world: World, redis_url: str, row: int) -> Retried:
    wakeups = Wakeups(redis_url)
    try:
        return run_retry(world.database, wakeups, WHO, plan_row(world.database, "default", row))
    finally:
        wakeups.close()


def test_a_failed_message_goes_out_once_and_the_next_step_keeps_its_delay(site: Site) -> None:
    site.sandbox.client.add_fault("sms", "reply", status=400, code=21617, times=1)
    site.enroll("follow-up")
    with site.working():
        site.until("failed", "pending", "pending")
        site.jump(0.5)
        plan = plan_row(site.world.database, "default", 1)
        assert [(row.id, row.error_code) for row in plan.rows] == [(1, "21617")]
        assert run_retry(site.world.database, site.wakeups, WHO, plan).rows == [1]
        site.until("sent", "pending", "pending")
        assert [count for (to, _), count in site.accepted().items() if to.startswith("+")] == [1]
        distances = "SELECT extract(epoch FROM due_at - (SELECT sent_at FROM outbox WHERE id = 1)) / 86400 FROM outbox"
        day, two = (round(float(days), 2) for (days,) in site.world.query(f"{distances} WHERE id > 1 ORDER BY id"))
        assert (day, two) == (1, 2)
    assert site.world.query("SELECT made_by, was, became, reason FROM history WHERE made_by = 'ann'") == [
        ("ann", "failed", "pending", "the text was mended")
    ]


def test_it_gets_all_its_tries_anew_and_is_due_now(world: World, redis_url: str) -> None:
    world.enroll()
    row = fail(world)
    jump(world, 10)
    assert retry(world, redis_url, row).rows == [row]
    assert world.query(
        "SELECT status, attempts, sequence_now() - due_at < interval '1 minute', counts_from FROM outbox WHERE id = %s",
        row,
    ) == [("pending", 0, True, None)]


def test_steps_behind_one_that_has_gone_on_keep_their_times(world: World, redis_url: str) -> None:
    world.enroll()
    row = fail(world)
    world.execute("UPDATE outbox SET status = 'sent', sent_at = sequence_now() WHERE step_order = 2")
    before = world.rows("due_at", "step_order = 3")
    jump(world, 1)
    retry(world, redis_url, row)
    assert world.rows("due_at", "step_order = 3") == before


def test_a_completed_enrollment_goes_on(world: World, redis_url: str) -> None:
    world.publish("sequence: single\nname: Single\nsteps: [{key: only, type: sms, body: Hi}]")
    world.enroll("single")
    row = fail(world)
    world.execute("UPDATE enrollments SET status = 'completed', completed_at = sequence_now()")
    assert retry(world, redis_url, row).rows == [row]
    assert world.query("SELECT status FROM enrollments") == [("active",)]


def test_an_enrollment_that_has_ended_early_is_left_alone(world: World, redis_url: str) -> None:
    world.enroll()
    row = fail(world)
    cancel(world.database, WHO, 1)
    plan = plan_row(world.database, "default", row)
    assert plan.rows == []
    assert [why for _, why in plan.left_alone] == ["its enrollment has ended early (operator)"]


def test_an_enrollment_that_ends_after_the_plan_is_left_alone(world: World, redis_url: str) -> None:
    world.enroll()
    row = fail(world)
    plan = plan_row(world.database, "default", row)
    cancel(world.database, WHO, 1)
    wakeups = Wakeups(redis_url)
    done = run_retry(world.database, wakeups, WHO, plan)
    wakeups.close()
    assert done.rows == []
    assert "has ended early (operator); enroll the contact again" in done.left_alone[row]
    assert world.rows("status", "step_order = 1") == [("failed",)]


def test_what_was_retried_meanwhile_is_not_sent_twice(world: World, redis_url: str) -> None:
    world.enroll()
    row = fail(world)
    plan = plan_row(world.database, "default", row)
    wakeups = Wakeups(redis_url)
    assert run_retry(world.database, wakeups, WHO, plan).rows == [row]
    world.execute("UPDATE outbox SET status = 'failed', fence = fence + 2 WHERE id = %s", row)
    again = run_retry(world.database, wakeups, WHO, plan)
    wakeups.close()
    assert (again.rows, again.left_alone) == ([], {row: f"row {row} has changed meanwhile"})


def test_those_of_a_sequence_are_chosen_by_code_and_time(world: World) -> None:
    world.enroll(count=3)
    fail(world, 1)
    jump(world, 1)
    noon = world.query("SELECT sequence_now()")[0][0]
    fail(world, 2)
    fail(world, 3, "30001")
    database = world.database

    def chosen(**by: object) -> list[int]:
        return [row.enrollment_id for row in plan_sequence(database, "default", "follow-up", **by).rows]  # type: ignore[arg-type]

    assert chosen() == [1, 2, 3]
    assert chosen(since=noon) == [2, 3]
    assert chosen(since=noon, code="21617") == [2]
    assert chosen(code="4711") == []


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("unknown", "may have been accepted: see `cadenza review --unknown`"),
        ("review", "decide it with `cadenza review 1 resend`"),
        ("skipped", "only failed messages"),
        ("pending", "cadenza run-now"),
    ],
)
def test_what_has_not_failed_is_refused_with_what_to_do(world: World, status: str, says: str) -> None:
    world.enroll()
    world.execute("UPDATE outbox SET status = %s, reason = 'x' WHERE id = 1", status)
    with pytest.raises(InvalidInput, match=rf"^row 1 is {status}: .*{says}"):
        plan_row(world.database, "default", 1)


def test_a_row_that_does_not_exist_is_said(world: World) -> None:
    with pytest.raises(NotFound, match="no row 4711 in this workspace"):
        plan_row(world.database, "default", 4711)
