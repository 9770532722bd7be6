"""The reconciler among others: other leaders, messages to the same recipient, many rows, wrong clocks."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event
from typing import Any

import psycopg
import pytest
import structlog
from world import World

from engine.clock import SequenceClock
from engine.database import KEPT_PLANS, Database
from engine.outbox.dispatch import RESTORED
from engine.outbox.doubt import DOUBTFUL, OPEN, TAKEN, doubtful, note_look
from engine.rules.doubt import Seen, Sighting
from engine.settings import Settings
from engine.wakeups import Wakeups
from workers.channels.channel import Message
from workers.delivery.known import Known
from workers.reconciler import LOCK, Reconciler

ONE_SMS = "sequence: single\nname: Single\nreentry: always\nsteps: [{key: only, type: sms, body: Hi}]"
ANA = "+12025550101"


class Lists:
    """A provider that has these messages."""

    def __init__(self, *sids: str, others: tuple[Seen, ...] = ()) -> None:
        self.sighting = Sighting(sids, others)
        self.asked = 0
        self.then: Callable[[], None] = lambda: None

    def send(self, message: Message) -> Any:
        raise NotImplementedError

    def look_up(self, message: Message, since: datetime) -> Sighting:
        self.asked += 1
        self.then()
        return self.sighting

    def check(self) -> str:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


def reconcile(world: World, redis_url: str, provider: Lists, times: int = 1) -> None:
    """Look at all rows in doubt so many times."""
    settings = Settings(_env_file=None, reconcile_grace_seconds=0, reconcile_interval_seconds=1e-6)
    wakeups, clock = Wakeups(redis_url), SequenceClock(world.database)
    reconciler = Reconciler(settings, world.database, wakeups, clock, {"sms": provider}, Known(world.database))
    for _ in range(times):
        reconciler.reconcile(Event())
    wakeups.close()


def in_doubt(world: World, workspace: str = "default", **fields: Any) -> int:
    """A row that was handed over without an answer."""
    world.enroll("single", workspace=workspace, **{"phone": ANA, "email": "ana@example.com", **fields})
    row_id = world.ids()[-1]
    world.begin([row_id], payload=json.dumps({"body": "Hi", "media_urls": []}))
    world.execute("UPDATE outbox SET status = 'unknown', lease_until = NULL, fence = fence + 1 WHERE id = %s", row_id)
    world.execute(
        "UPDATE attempt_records SET outcome = 'unanswered', ended_at = clock_timestamp() WHERE outbox_id = %s", row_id
    )
    return row_id


def status_of(world: World, row_id: int) -> tuple[Any, ...]:
    return world.rows("status, provider_id", f"id = {row_id}")[0]


@pytest.fixture
def single(world: World) -> World:
    world.publish(ONE_SMS)
    return world


def test_a_leader_that_works_is_not_replaced(single: World, redis_url: str) -> None:
    with psycopg.connect(single.database.url, autocommit=True) as working:
        working.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        settings = Settings(_env_file=None)
        clock = SequenceClock(single.database)
        stop = Event()
        stop.set()  # after one try
        Reconciler(settings, single.database, Wakeups(redis_url), clock, {}, Known(single.database)).turn(stop)
        assert working.execute("SELECT 1").fetchone() == (1,)


def test_a_message_that_may_be_that_of_an_attempt_under_way_is_nobodys_yet(single: World, redis_url: str) -> None:
    """Two rows say the same to the same person: the one that is being sent may be the one that is found."""
    lost = in_doubt(single)
    single.enroll("single", phone=ANA, email="ana@example.com")
    (sending,) = single.begin(single.ids()[-1:])
    reconcile(single, redis_url, Lists("SM1"), times=3)
    assert status_of(single, lost) == ("unknown", None)
    single.execute(
        "UPDATE attempt_records SET outcome = 'accepted', provider_id = 'SM1', ended_at = now() WHERE outbox_id = %s",
        sending.id,
    )
    single.execute(
        "UPDATE outbox SET status = 'sent', provider_id = 'SM1', sent_at = now(), lease_until = NULL WHERE id = %s",
        sending.id,
    )
    reconcile(single, redis_url, Lists("SM1"), times=2)
    assert status_of(single, lost) == ("pending", None)


def test_a_message_of_one_of_two_rows_is_for_a_person(single: World, redis_url: str) -> None:
    """Both say the same to the same person, and one of them was accepted: which, only a callback tells."""
    rows = [in_doubt(single), in_doubt(single, email="ana2@example.com", phone="+12025550102")]
    single.execute("UPDATE attempt_records SET recipient = %s", ANA)
    reconcile(single, redis_url, Lists("SM1"), times=2)
    assert [status_of(single, row_id) for row_id in rows] == [("review", None)] * 2


def test_a_message_that_may_be_of_a_forgotten_attempt_is_for_a_person(single: World, redis_url: str) -> None:
    """A row is held since the database was restored: it may have said the same."""
    single.enroll(phone=ANA, email="ana@example.com")
    single.execute("UPDATE outbox SET status = 'review', reason = %s WHERE step_order = 1", RESTORED)
    row_id = in_doubt(single)
    reconcile(single, redis_url, Lists("SM1"))
    assert status_of(single, row_id) == ("review", None)


def test_nothing_is_looked_up_before_a_leader_has_compared(single: World, redis_url: str) -> None:
    row_id = in_doubt(single)
    single.execute("UPDATE dispatch SET open_until = clock_timestamp()")
    reconcile(single, redis_url, Lists("SM1"))
    assert status_of(single, row_id) == ("unknown", None)
    single.execute("UPDATE dispatch SET open_until = 'infinity'")
    reconcile(single, redis_url, Lists("SM1"))
    assert status_of(single, row_id) == ("sent", "SM1")


def test_a_message_that_nothing_explains_is_for_a_person(single: World, redis_url: str) -> None:
    """The provider may have changed the text: a second message would be a duplicate."""
    row_id = in_doubt(single)
    stranger = Seen("SM9", "H i", datetime.now(UTC))
    reconcile(single, redis_url, Lists(others=(stranger,)), times=2)
    ((status, reason),) = single.rows("status, reason", f"id = {row_id}")
    assert status == "review" and "SM9" in reason


def test_messages_of_other_attempts_explain_themselves(single: World, redis_url: str) -> None:
    row_id = in_doubt(single)
    single.enroll(phone=ANA, email="ana@example.com")
    sent, doubtful_one = single.ids()[1], in_doubt(single)
    single.execute("UPDATE outbox SET status = 'sent', provider_id = 'SM8', sent_at = now() WHERE id = %s", sent)
    single.execute('UPDATE attempt_records SET payload = \'{"body": "Bye"}\' WHERE outbox_id = %s', doubtful_one)
    now = datetime.now(UTC)
    others = (Seen("SM8", "Hello", now), Seen("SM9", "Bye", now))
    reconcile(single, redis_url, Lists(others=others), times=2)
    assert status_of(single, row_id) == ("pending", None)


def test_a_workspace_with_many_rows_in_doubt_does_not_keep_the_others_waiting(single: World) -> None:
    single.execute("INSERT INTO workspaces (key, name) VALUES ('small', 'Small')")
    ((small,),) = single.query("SELECT id FROM workspaces WHERE key = 'small'")
    single.publish(ONE_SMS, workspace_id=small)
    for _ in range(5):
        in_doubt(single)
    theirs = in_doubt(single, "small")
    with single.database.transaction() as session:
        found = [row.id for row in doubtful(session, ["sms"], 0, 60, limit=2)]
    assert theirs in found


def test_with_a_wrong_clock_nothing_is_looked_up(
    single: World, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The grace time would seem to be over, or never to end."""
    in_doubt(single)
    provider = Lists()
    machine = time.time
    monkeypatch.setattr(time, "time", lambda: machine() + 7_200)
    settings = Settings(_env_file=None, reconcile_grace_seconds=0)
    reconciler = Reconciler(
        settings,
        single.database,
        Wakeups(redis_url),
        SequenceClock(single.database),
        {"sms": provider},
        Known(single.database),
    )
    reconciler.turn(Event())
    assert provider.asked == 0
    monkeypatch.undo()
    stop = Event()
    provider.then = stop.set
    reconciler.turn(stop)
    assert provider.asked == 1


def test_a_row_that_can_not_be_looked_after_keeps_no_other_waiting(single: World, redis_url: str) -> None:
    broken, whole = in_doubt(single), in_doubt(single, phone="+12025550102", email="ben@example.com")
    single.execute("UPDATE attempt_records SET payload = '{}' WHERE outbox_id = %s", broken)
    with structlog.testing.capture_logs() as logs:
        reconcile(single, redis_url, Lists(), times=2)
    assert status_of(single, whole) == ("pending", None)
    assert status_of(single, broken) == ("unknown", None)
    assert [entry["row"] for entry in logs if entry["log_level"] == "error"] == [broken] * 2


def test_an_email_that_can_not_be_looked_after_waits_for_the_interval(single: World) -> None:
    """The reconciler would try it without a pause."""
    row_id = in_doubt(single)
    single.execute("UPDATE outbox SET type = 'email' WHERE id = %s", row_id)
    with single.database.transaction() as session:
        (row,) = doubtful(session, ["email"], 3_600, 3_600)
        note_look(session, row, empty=False)
        assert doubtful(session, ["email"], 3_600, 3_600) == []


def test_what_was_accepted_is_not_undone_by_a_later_attempt_that_was_not(single: World, redis_url: str) -> None:
    row_id = in_doubt(single)
    single.execute("UPDATE attempt_records SET outcome = 'accepted', provider_id = 'SM1'")
    single.execute("UPDATE outbox SET status = 'pending' WHERE id = %s", row_id)
    assert len(single.begin([row_id])) == 1
    single.execute("UPDATE outbox SET status = 'unknown', lease_until = NULL, fence = fence + 1")
    single.execute("UPDATE attempt_records SET outcome = 'held', ended_at = now() WHERE outcome IS NULL")
    provider = Lists()
    reconcile(single, redis_url, provider)
    assert status_of(single, row_id) == ("sent", "SM1")
    assert provider.asked == 0


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", []) for node in nodes(child))]


@pytest.mark.parametrize(
    ("statement", "parameters"),
    [
        (TAKEN, {"ids": ["SM1"], "recipient": ANA, "row": 1, "fence": 1}),
        (OPEN, {"recipient": ANA, "row": 1, "restored": RESTORED}),
        (DOUBTFUL, {"channels": ["sms"], "errors": ["500"], "grace": 0.0, "interval": 1.0, "limit": 100}),
    ],
    ids=["taken", "open", "doubtful"],
)
def test_no_look_reads_all_attempts(single: World, statement: str, parameters: dict[str, Any]) -> None:
    database = Database(single.database.url, options=KEPT_PLANS)
    with database.transaction() as session:
        row = session.execute("EXPLAIN (FORMAT JSON) " + statement, parameters).fetchone()
    database.close()
    assert row is not None
    for node in nodes(row[0][0]["Plan"]):
        if node.get("Relation Name") == "attempt_records":
            assert "Index Cond" in node, node


@pytest.mark.parametrize(
    ("code", "barred", "people"),
    [
        ("30005", [(ANA, "undeliverable", "30005")], []),
        ("30006", [(ANA, "undeliverable", "30006")], []),
        ("21610", [(ANA, "unsubscribed", "21610")], [("sms", "unsubscribed")]),
        ("30003", [], []),
        ("30007", [], []),
    ],
)
def test_what_a_look_up_says_of_the_number_counts(
    single: World, redis_url: str, code: str, barred: list[tuple[str, str, str]], people: list[tuple[str, str]]
) -> None:
    """No callback may come: there may be no public URL. The number is the one that was written to."""
    row_id = in_doubt(single)
    single.execute("UPDATE contacts SET phone = '+12025550199'")
    provider = Lists("SM1")
    provider.sighting = Sighting(("SM1",), error_codes={"SM1": code})
    reconcile(single, redis_url, provider)
    assert status_of(single, row_id) == ("sent", "SM1")
    assert single.query("SELECT address, reason, note FROM suppressions") == barred
    assert single.query("SELECT channel, reason FROM contact_opt_outs") == people


def test_what_a_look_up_says_of_another_message_counts_for_nothing(single: World, redis_url: str) -> None:
    """Two messages may be the one, so a person decides, and nobody is barred by a guess."""
    row_id = in_doubt(single)
    provider = Lists("SM1", "SM2")
    provider.sighting = Sighting(("SM1", "SM2"), error_codes={"SM1": "30005"})
    reconcile(single, redis_url, provider)
    assert status_of(single, row_id) == ("review", None)
    assert single.query("SELECT count(*) FROM suppressions") == [(0,)]
