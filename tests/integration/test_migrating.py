"""Enrollments go on in a newer version: what they become, against workers that claim meanwhile, and after a kill -9."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from people_at_work import act
from stage_site import GENEROUS, Site, wait_for
from world import World

from deploy.audit.audit import audit
from engine.clock import advance
from engine.errors import InvalidInput
from engine.outbox.claim import claim
from engine.settings import Settings
from engine.wakeups import Wakeups
from producers.migrating import CHUNK, Group, Migrated, plan_migration, run_migration
from producers.operator import Operator
from producers.pausing import pause_enrollment, resume_one
from producers.steering import skip

WHO = Operator("default", "ann", "a better text")

NEW = """
sequence: follow-up
steps:
  - {key: first, type: sms, body: "New first"}
  - {key: extra, type: sms, delay: 1 day, body: "Extra"}
  - {key: third, type: email, delay: 2 days, subject: "New third", text: "Hello"}
  - {key: last, type: call, delay: 1 day}
"""


@pytest.fixture
def wakeups(redis_url: str) -> Iterator[Wakeups]:
    wakeups = Wakeups(redis_url)
    yield wakeups
    wakeups.close()


def move(world: World, wakeups: Wakeups, sequence: str = "follow-up", **versions: int) -> Migrated:
    plan = plan_migration(world.database, "default", sequence, **versions)
    return run_migration(world.database, wakeups, WHO, plan.target)


def everything(world: World) -> list[Any]:
    """All that a migration may change."""
    tables = ("enrollments", "outbox", "attempts", "tasks", "history")
    return [world.query(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]


def steps(world: World, enrollment: int) -> list[tuple[Any, ...]]:
    due = "round(extract(epoch FROM due_at - (SELECT enrolled_at FROM enrollments e WHERE e.id = enrollment_id)) / 864)"
    return world.rows(f"step_order, step_key, status, {due}::int, reason", f"enrollment_id = {enrollment}")


def sent(world: World, key: str, enrollment: int) -> None:
    """A step was sent when it was due."""
    world.execute(
        "UPDATE outbox SET status = 'sent', sent_at = due_at, fence = fence + 2 WHERE step_key = %s"
        " AND enrollment_id = %s",
        key,
        enrollment,
    )


def jump(world: World, days: float) -> None:
    with world.database.transaction() as session:
        advance(session, timedelta(days=days))


def test_the_plan_is_told_and_changes_nothing(world: World) -> None:
    world.enroll(count=3)
    sent(world, "first", 2)
    sent(world, "first", 3)
    sent(world, "second", 3)
    world.publish(NEW)
    before = everything(world)
    plan = plan_migration(world.database, "default", "follow-up")
    assert plan.people == Counter(
        {Group(1, "first", "first", None): 1, Group(1, "second", "third", None): 1, Group(1, "third", "third", None): 1}
    )
    assert plan.moving == 3
    assert everything(world) == before


def test_steps_go_on_by_their_keys_with_the_times_of_the_new_version(world: World, wakeups: Wakeups) -> None:
    world.enroll(count=2)
    sent(world, "first", 1)
    sent(world, "first", 2)
    sent(world, "second", 2)
    jump(world, 0.5)
    world.publish(NEW)
    assert move(world, wakeups) == Migrated(2, Counter(), True)
    gone, passed = "version 2 has no such step", "version 2: it comes before the step at which the enrollment went on"
    assert steps(world, 1) == [
        (0, "second", "skipped", 100, gone),
        (1, "first", "sent", 0, None),
        (2, "extra", "skipped", None, passed),
        (3, "third", "pending", 200, None),
        (4, "last", "pending", 300, None),
    ]
    assert steps(world, 2) == [
        (0, "second", "sent", 100, None),
        (1, "first", "sent", 0, None),
        (2, "extra", "skipped", None, passed),
        (3, "third", "pending", 300, None),
        (4, "last", "pending", 400, None),
    ]
    told = world.query(
        "SELECT made_by, was, became, reason FROM history WHERE enrollment_id = 1 ORDER BY at, outbox_id"
    )
    assert sorted(told) == [
        ("ann", "pending", "skipped", gone),
        ("ann", "version 1", "version 2", "a better text; lands at third"),
    ]
    assert move(world, wakeups) == Migrated(0, Counter(), True)


def test_it_is_possible_to_choose_the_versions(world: World, wakeups: Wakeups) -> None:
    world.enroll()
    world.publish(NEW)
    world.enroll()
    world.publish(NEW.replace("New first", "Newest"))
    with pytest.raises(InvalidInput, match="has no version 7"):
        plan_migration(world.database, "default", "follow-up", to_number=7)
    with pytest.raises(InvalidInput, match="not newer"):
        plan_migration(world.database, "default", "follow-up", from_number=2, to_number=1)
    assert move(world, wakeups, from_number=2).moved == 1
    assert move(world, wakeups, to_number=2).moved == 1
    numbers = "SELECT v.number FROM enrollments e JOIN sequence_versions v ON v.id = e.version_id ORDER BY e.id"
    assert world.query(numbers) == [(2,), (3,)]


def test_who_has_nothing_left_to_do_is_complete(world: World, wakeups: Wakeups) -> None:
    world.enroll()
    sent(world, "first", 1)
    world.publish('sequence: follow-up\nsteps: [{key: first, type: sms, body: "Hi"}]')
    assert move(world, wakeups).moved == 1
    assert world.query("SELECT status FROM enrollments") == [("completed",)]


def test_what_is_being_handed_over_stays_in_its_version_until_it_is_settled(world: World, wakeups: Wakeups) -> None:
    world.enroll()
    world.begin(world.ids("step_key = 'first'"))
    world.publish(NEW)
    before = everything(world)
    assert move(world, wakeups) == Migrated(0, Counter({"a step is being handed over": 1}), True)
    assert everything(world) == before
    world.execute("UPDATE outbox SET lease_until = NULL, status = 'sent', sent_at = due_at WHERE step_order = 1")
    assert move(world, wakeups).moved == 1


def test_what_somebody_holds_is_waited_for_by_nobody_and_moved_later(world: World, wakeups: Wakeups) -> None:
    world.enroll()
    world.publish(NEW)
    with world.database.transaction() as session:
        assert len(claim(session, world.ids("step_key = 'first'"))) == 1
        # The claim itself is waited for; whoever holds a row otherwise is not.
        mover = Thread(target=lambda: results.append(move(world, wakeups)), daemon=True)
        results: list[Migrated] = []
        mover.start()
    mover.join(GENEROUS)
    assert results == [Migrated(1, Counter(), True)]
    with world.database.transaction() as session:
        world.publish(NEW.replace("New first", "Newest"))
        session.execute("SELECT FROM enrollments FOR UPDATE")
        assert move(world, wakeups).left_alone == Counter({"somebody else is at it": 1})
    assert move(world, wakeups).moved == 1


def test_a_paused_enrollment_keeps_what_remains_of_its_delay(world: World, wakeups: Wakeups) -> None:
    world.enroll()
    sent(world, "first", 1)
    jump(world, 0.5)
    pause_enrollment(world.database, WHO, 1)
    jump(world, 10)
    world.publish(NEW)
    assert move(world, wakeups).moved == 1
    resume_one(world.database, wakeups, WHO, 1)
    assert steps(world, 1)[3][:4] == (3, "third", "pending", 1200)


def test_a_step_of_an_older_version_can_be_skipped_no_more(world: World, wakeups: Wakeups) -> None:
    world.enroll()
    world.publish(NEW)
    move(world, wakeups)
    with pytest.raises(InvalidInput, match="is skipped"):
        skip(world.database, wakeups, WHO, 1, "second")


MANY = """
sequence: many
reentry: always
steps:
  - {key: one, type: sms, body: "v1 one {{ contact.external_id }}"}
  - {key: two, type: sms, delay: 1 day, body: "v1 two {{ contact.external_id }}"}
  - {key: ask, type: call, delay: 1 day}
  - key: heard
    type: condition
    if: {replied: true, within: 1 day}
    then: [{key: thanks, type: sms, delay: 1 day, body: "v1 thanks"}]
    else: [{key: again, type: sms, delay: 1 day, body: "v1 again {{ contact.external_id }}"}]
  - {key: three, type: sms, delay: 1 day, body: "v1 three {{ contact.external_id }}"}
  - {key: four, type: sms, delay: 1 day, body: "v1 four {{ contact.external_id }}"}
"""
MANY_NEW = """
sequence: many
reentry: always
steps:
  - {key: one, type: sms, body: "v2 one {{ contact.external_id }}"}
  - {key: between, type: sms, delay: 1 hour, body: "v2 between {{ contact.external_id }}"}
  - {key: ask, type: call, delay: 2 days}
  - key: heard
    type: condition
    if: {replied: true, within: 2 days}
    then: []
    else:
      - {key: again, type: sms, delay: 1 day, body: "v2 again {{ contact.external_id }}"}
      - {key: still, type: sms, delay: 1 day, body: "v2 still {{ contact.external_id }}"}
  - {key: four, type: sms, delay: 2 days, body: "v2 four {{ contact.external_id }}"}
  - {key: five, type: sms, delay: 1 day, body: "v2 five {{ contact.external_id }}"}
"""

#: More often than once.
TWICE = """
SELECT enrollment_id, step_key, count(*) FROM outbox GROUP BY 1, 2 HAVING count(*) > 1
UNION ALL
SELECT o.enrollment_id, o.step_key, count(*) FROM outbox o JOIN attempts a ON a.outbox_id = o.id
GROUP BY 1, 2 HAVING count(*) > 1
"""

#: Begun with the text of one version after the enrollment had gone on in the other.
STALE = """
SELECT o.enrollment_id, o.step_key, a.payload FROM attempts a JOIN outbox o ON o.id = a.outbox_id
JOIN enrollments e ON e.id = o.enrollment_id
WHERE e.migrated_at IS NOT NULL AND (a.payload::text LIKE '%%v1 %%') <> (a.started_at < e.migrated_at)
"""


def test_three_hundred_anywhere_are_moved_while_workers_claim(site: Site) -> None:
    world = site.world
    world.publish(MANY)
    with site.working():
        for group in range(6):
            site.enroll("many", 50, attributes={"group": group})
            wait_for(
                lambda: (
                    not world.query(
                        "SELECT FROM outbox WHERE status = 'pending' AND due_at <= sequence_now()"
                        " OR status = 'sending' LIMIT 1"
                    )
                ),
                world.rows,
            )
            for (enrollment,) in world.query(
                "SELECT enrollment_id FROM outbox WHERE status = 'open' AND enrollment_id %% 2 = 0"
            ):
                act(site, "complete", enrollment, "ask")
            site.jump(1.01)
        # Everybody has something that is due, and is being claimed, when the migration begins.
        world.publish(MANY_NEW)
        plan = plan_migration(world.database, "default", "many")
        assert sum(plan.people.values()) > 200
        assert len(plan.people) > 5
        site.jump(0.5)
        done = run_migration(world.database, site.wakeups, WHO, plan.target)
        assert done.moved > 150
        for _ in range(8):
            wait_for(
                lambda: (
                    not world.query(
                        "SELECT FROM outbox WHERE status = 'pending' AND due_at <= sequence_now()"
                        " OR status = 'sending' LIMIT 1"
                    )
                ),
                world.rows,
            )
            done = run_migration(world.database, site.wakeups, WHO, plan.target)
            for (enrollment,) in world.query("SELECT enrollment_id FROM outbox WHERE status = 'open'"):
                act(site, "complete", enrollment, "ask")
            site.jump(2.5)
        wait_for(
            lambda: not world.query("SELECT FROM enrollments WHERE status = 'active' LIMIT 1"),
            lambda: world.query("SELECT status, step_key, count(*) FROM outbox GROUP BY 1, 2"),
        )
    assert world.query(TWICE) == []
    assert world.query(STALE) == []
    accepted = site.accepted()
    assert set(accepted.values()) == {1}
    assert len(accepted) == len(world.rows("id", "status = 'sent'"))
    found = audit(world.database, site.sandbox.ledger)
    assert found.clean, [str(violation) for kept in found.examples.values() for violation in kept]


def test_a_migration_that_was_killed_goes_on_where_it_was(world: World, settings: Settings, wakeups: Wakeups) -> None:
    world.enroll(count=350)
    world.publish(NEW)
    assert settings.database_url is not None
    assert settings.redis_url is not None
    environment = {
        **os.environ,
        "CADENZA_DATABASE_URL": settings.database_url.get_secret_value(),
        "CADENZA_REDIS_URL": settings.redis_url.get_secret_value(),
    }
    command = [sys.executable, "-P", "-m", "deploy.cli", "migrate-enrollments", "follow-up", "--json", "--by", "ann"]
    asked = subprocess.run(
        command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    assert (asked.returncode, "--yes" in asked.stderr) == (2, True)
    # The first chunk has nothing that is due. In the second, messages are set aside: there it waits for a claim.
    world.execute("UPDATE outbox SET due_at = due_at + interval '1 day' WHERE enrollment_id <= %s", CHUNK)
    aside = "SELECT count(*)::int FROM outbox WHERE retry_at IS NOT NULL"
    with (
        world.database.transaction() as claiming,
        subprocess.Popen([*command, "--yes"], env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as mover,
    ):
        claiming.execute("SELECT FROM outbox WHERE false FOR UPDATE")
        wait_for(lambda: world.query(aside) == [(CHUNK,)], "the second chunk is set aside")
        mover.kill()
    moved = "SELECT count(*)::int FROM enrollments WHERE migrated_at IS NOT NULL"
    assert world.query(moved) == [(CHUNK,)]
    again = subprocess.run([*command, "--yes"], env=environment, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert world.query(moved) == [(350,)]
    once = "SELECT count(*)::int FROM history WHERE became = 'version 2' GROUP BY enrollment_id"
    assert world.query(once) == [(1,)] * 350
    assert world.query("SELECT enrollment_id FROM outbox GROUP BY enrollment_id HAVING count(*) <> 5") == []
    assert world.query("SELECT enrollment_id, step_key FROM outbox GROUP BY 1, 2 HAVING count(*) > 1") == []
