"""Enroll events: one enrollment each, whatever is retried, alone or within a caller's own transaction."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
import sqlalchemy

from engine.database import Database
from engine.errors import InvalidInput, NotFound
from engine.wakeups import Wakeups
from producers.enroll_event import EnrollEvent, publish, publish_within
from schema.messages import ENROLLED_CHANNEL

ANN = EnrollEvent("follow-up", email="ann@example.com", phone="+12025550101", idempotency_key="order-1")
ONE_SMS = "sequence: {key}\nname: N\nreentry: {reentry}\nsteps: [{{key: only, type: sms, body: Hi}}]"


@pytest.fixture
def wakeups(redis_url: str) -> Wakeups:
    return Wakeups(redis_url)


def test_an_event_writes_one_row_and_one_wake_up_per_step(world: Any, wakeups: Wakeups) -> None:
    enrolled = publish(world.database, wakeups, ANN)
    assert enrolled.created
    assert world.statuses() == ["pending"] * 3
    assert wakeups.counts()["waiting"] == 3
    (offsets,) = world.query(
        "SELECT array_agg(extract(epoch FROM o.due_at - e.enrolled_at)::int ORDER BY o.step_order)"
        " FROM outbox o JOIN enrollments e ON e.id = o.enrollment_id"
    )
    assert offsets == ([0, 86_400, 172_800],)


def test_the_same_event_at_once_from_many_threads_is_one_enrollment(world: Any, wakeups: Wakeups) -> None:
    with ThreadPoolExecutor(10) as pool:
        made = list(pool.map(lambda _: publish(world.database, wakeups, ANN), range(20)))
    assert len({enrolled.enrollment_id for enrolled in made}) == 1
    assert sum(enrolled.created for enrolled in made) == 1
    assert len(world.ids()) == 3


def test_without_a_key_the_contact_is_enrolled_once_too(world: Any, wakeups: Wakeups) -> None:
    event = EnrollEvent("follow-up", email="ann@example.com", phone="+12025550101")
    with ThreadPoolExecutor(10) as pool:
        made = list(pool.map(lambda _: publish(world.database, wakeups, event), range(20)))
    assert len({enrolled.enrollment_id for enrolled in made}) == 1
    assert len(world.ids()) == 3


def test_an_idempotency_key_is_honoured_after_the_enrollment_has_ended(world: Any, wakeups: Wakeups) -> None:
    world.publish(ONE_SMS.format(key="again", reentry="after_exit"))
    event = EnrollEvent("again", phone="+12025550101", idempotency_key="k")
    first = publish(world.database, wakeups, event)
    world.execute("UPDATE enrollments SET status = 'completed', completed_at = now()")
    assert publish(world.database, wakeups, event).enrollment_id == first.enrollment_id
    assert publish(world.database, wakeups, EnrollEvent("again", phone="+12025550101")).created


def test_a_key_stands_for_what_was_enrolled_when_it_came_even_without_a_new_enrollment(
    world: Any, wakeups: Wakeups
) -> None:
    world.publish(ONE_SMS.format(key="again", reentry="after_exit"))
    first = publish(world.database, wakeups, EnrollEvent("again", phone="+12025550101"))
    repeat = EnrollEvent("again", phone="+12025550101", idempotency_key="late")
    assert not publish(world.database, wakeups, repeat).created
    world.execute("UPDATE enrollments SET status = 'completed', completed_at = now()")
    assert publish(world.database, wakeups, repeat).enrollment_id == first.enrollment_id


def test_a_key_is_refused_for_another_request(world: Any, wakeups: Wakeups) -> None:
    publish(world.database, wakeups, ANN)
    other = EnrollEvent("follow-up", email="bob@example.com", phone="+12025550102", idempotency_key="order-1")
    with pytest.raises(InvalidInput, match="another request"):
        publish(world.database, wakeups, other)


@pytest.mark.parametrize(("reentry", "expected"), [("once", 1), ("after_exit", 1), ("always", 3)])
def test_re_entry_while_the_first_runs(world: Any, wakeups: Wakeups, reentry: str, expected: int) -> None:
    world.publish(ONE_SMS.format(key="s", reentry=reentry))
    for _ in range(3):
        publish(world.database, wakeups, EnrollEvent("s", phone="+12025550101"))
    assert world.query("SELECT count(*) FROM enrollments") == [(expected,)]


@pytest.mark.parametrize(("reentry", "expected"), [("once", 1), ("after_exit", 2), ("always", 2)])
def test_re_entry_after_the_first_has_ended(world: Any, wakeups: Wakeups, reentry: str, expected: int) -> None:
    world.publish(ONE_SMS.format(key="s", reentry=reentry))
    publish(world.database, wakeups, EnrollEvent("s", phone="+12025550101"))
    world.execute("UPDATE enrollments SET status = 'completed', completed_at = now()")
    publish(world.database, wakeups, EnrollEvent("s", phone="+12025550101"))
    assert world.query("SELECT count(*) FROM enrollments") == [(expected,)]


def test_once_holds_across_versions(world: Any, wakeups: Wakeups) -> None:
    world.publish(ONE_SMS.format(key="s", reentry="always"))
    publish(world.database, wakeups, EnrollEvent("s", phone="+12025550101"))
    world.publish(ONE_SMS.format(key="s", reentry="once"))
    assert not publish(world.database, wakeups, EnrollEvent("s", phone="+12025550101")).created


def test_two_workspaces_with_the_same_contact_and_sequence_do_not_mix(world: Any, wakeups: Wakeups) -> None:
    world.execute("INSERT INTO workspaces (key, name) VALUES ('other', 'Other')")
    ((other,),) = world.query("SELECT id FROM workspaces WHERE key = 'other'")
    world.publish(workspace_id=other)
    publish(world.database, wakeups, ANN)
    event = EnrollEvent(
        "follow-up", email="ann@example.com", phone="+12025550101", idempotency_key="order-1", workspace="other"
    )
    assert publish(world.database, wakeups, event).created
    assert world.query(
        "SELECT w.key, count(DISTINCT e.contact_id), count(*)"
        " FROM outbox o JOIN enrollments e ON e.id = o.enrollment_id"
        " JOIN workspaces w ON w.id = o.workspace_id AND w.id = e.workspace_id GROUP BY 1 ORDER BY 1"
    ) == [("default", 1, 3), ("other", 1, 3)]


@pytest.mark.parametrize("kind", ["psycopg", "sqlalchemy"])
@pytest.mark.parametrize("fate", ["commit", "rollback"])
def test_within_the_callers_transaction(world: Any, database_url: str, kind: str, fate: str) -> None:
    engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(database_url))
    with psycopg.connect(database_url, autocommit=True) as listener:
        listener.execute(f"LISTEN {ENROLLED_CHANNEL}")
        if kind == "psycopg":
            with psycopg.connect(database_url) as connection:
                enrolled = publish_within(connection, ANN)
                connection.commit() if fate == "commit" else connection.rollback()
        else:
            with engine.connect() as business:
                enrolled = publish_within(business, ANN)
                business.commit() if fate == "commit" else business.rollback()
        heard = [int(notification.payload) for notification in listener.notifies(timeout=0.5, stop_after=1)]
    engine.dispose()
    committed = fate == "commit"
    assert heard == ([enrolled.enrollment_id] if committed else [])
    assert len(world.ids()) == (3 if committed else 0)


def test_bad_input_leaves_the_callers_transaction_usable(world: Any, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO workspaces (key, name) VALUES ('mine', 'Mine')")
        with pytest.raises(NotFound):
            publish_within(connection, EnrollEvent("nobody-knows", phone="+12025550101"))
        with pytest.raises(InvalidInput):
            publish_within(connection, EnrollEvent("follow-up", email="no email", phone="+12025550101"))
    assert world.query("SELECT count(*) FROM workspaces WHERE key = 'mine'") == [(1,)]


def test_a_connection_in_autocommit_is_refused(database: Database, database_url: str) -> None:
    with (
        psycopg.connect(database_url, autocommit=True) as connection,
        pytest.raises(InvalidInput, match="autocommit"),
    ):
        publish_within(connection, ANN)


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (EnrollEvent("follow-up"), "missing"),
        (EnrollEvent("follow-up", email="ann@example.com"), "phone is missing"),
        (EnrollEvent("follow-up", email="ann@", phone="+12025550101"), "email"),
        (EnrollEvent("follow-up", email="ann@example.com", phone="123"), "phone"),
        (EnrollEvent("follow-up", email="ann@example.com", phone="+12025550101", timezone="Mars"), "timezone"),
        (EnrollEvent("follow-up", phone="+12025550101", workspace="nowhere"), "nowhere"),
        (EnrollEvent("follow-up", phone="+12025550101", idempotency_key=" "), "idempotency key"),
    ],
)
def test_what_cannot_be_enrolled_says_why(world: Any, wakeups: Wakeups, event: EnrollEvent, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        publish(world.database, wakeups, event)
    assert world.ids() == []


def test_an_archived_sequence_takes_nobody(world: Any, wakeups: Wakeups) -> None:
    world.execute("UPDATE sequences SET status = 'archived', status_before = 'active', archived_at = now()")
    with pytest.raises(InvalidInput, match="archived"):
        publish(world.database, wakeups, ANN)


def test_with_redis_away_the_enrollment_stands(world: Any) -> None:
    enrolled = publish(world.database, Wakeups("redis://127.0.0.1:1/0"), ANN)
    assert enrolled.created
    assert len(world.ids()) == 3
