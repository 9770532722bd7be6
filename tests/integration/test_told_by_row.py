"""The end of a plainly accepted attempt is told by its row, and is never lost or written over."""

from typing import Any

import pytest
import sqlalchemy

from engine.clock import SequenceClock
from engine.outbox.evidence import Evidence, accept_evidence
from engine.outbox.settle import Ending, settle
from schema import migrate
from schema.states import RowStatus

RECORDS = "SELECT fence, outcome, provider_id, ended_at, detail FROM attempt_records ORDER BY fence"
ATTEMPTS = "SELECT fence, outcome, provider_id, ended_at, detail FROM attempts ORDER BY fence"


def accepted(row: Any, sid: str | None = "SM1", detail: str | None = "queued", **ending: Any) -> Ending:
    fields = {"status": RowStatus.SENT, "outcome": "accepted", "provider_id": sid, "detail": detail, **ending}
    return Ending(row.id, row.fence, "sms", **fields)


def write(world: Any, *endings: Ending) -> None:
    with world.database.transaction() as session:
        settle(session, endings)


def prove(world: Any, row: Any, sid: str, fence: int | None = None) -> None:
    with world.database.transaction() as session:
        accept_evidence(session, SequenceClock(world.database), Evidence(1, row.id, fence or row.fence, sid))


@pytest.fixture
def row(world: Any) -> Any:
    """A row that is being handed over."""
    world.enroll()
    (row,) = world.begin(world.ids("step_order = 1"))
    return row


def test_only_the_row_is_written(world: Any, row: Any) -> None:
    before = world.query(RECORDS)
    write(world, accepted(row))
    assert world.query(RECORDS) == before == [(1, None, None, None, None)]
    ((ended_at,),) = world.rows("accepted_at", f"id = {row.id}")
    assert world.query(ATTEMPTS) == [(1, "accepted", "SM1", ended_at, "queued")]


def test_a_callback_that_says_the_same_changes_nothing(world: Any, row: Any) -> None:
    write(world, accepted(row))
    told, records = world.query(ATTEMPTS), world.query(RECORDS)
    prove(world, row, "SM1")
    assert (world.query(ATTEMPTS), world.query(RECORDS)) == (told, records)


def test_evidence_of_another_message_leaves_what_the_row_tells(world: Any, row: Any) -> None:
    write(world, accepted(row))
    ((_, _, _, ended_at, _),) = world.query(ATTEMPTS)
    prove(world, row, "SM2")
    assert world.query(ATTEMPTS)[0][:4] == (1, "accepted", "SM1", ended_at)
    assert world.rows("status, provider_id", f"id = {row.id}") == [("sent", "SM1")]


def test_an_end_is_written_down_before_the_row_gets_the_name_of_another(world: Any, row: Any) -> None:
    write(world, accepted(row, sid=None))
    ((_, _, _, ended_at, _),) = world.query(ATTEMPTS)
    prove(world, row, "SM9", fence=7)
    assert world.rows("provider_id", f"id = {row.id}") == [("SM9",)]
    first, forgotten = world.query(ATTEMPTS)
    assert first == (1, "accepted", None, ended_at, "queued")
    assert forgotten[:3] == (7, "accepted", "SM9")


def test_an_end_is_not_written_over(world: Any, row: Any) -> None:
    write(world, accepted(row))
    told = world.query(ATTEMPTS)
    write(world, accepted(row, status=RowStatus.UNKNOWN, outcome="unanswered", sid=None, reason="silence"))
    assert world.query(ATTEMPTS) == told


def test_two_words_of_one_row_are_both_kept(world: Any, row: Any) -> None:
    """Its first claim was taken from a worker that tells of both together."""
    world.execute("UPDATE outbox SET status = 'pending', lease_until = NULL, fence = 2 WHERE id = %s", row.id)
    (again,) = world.begin([row.id])
    write(world, accepted(row, sid="SM1"), accepted(again, sid="SM2"))
    assert [(fence, outcome, sid) for fence, outcome, sid, *_ in world.query(ATTEMPTS)] == [
        (1, "accepted", "SM1"),
        (3, "accepted", "SM2"),
    ]
    assert world.rows("status, provider_id", f"id = {row.id}") == [("sent", "SM2")]


def test_ends_are_written_down_when_the_migration_is_undone(world: Any, row: Any, database_url: str) -> None:
    write(world, accepted(row))
    told = world.query(ATTEMPTS)
    engine = sqlalchemy.create_engine(
        database_url.replace("postgresql://", "postgresql+psycopg://"), poolclass=sqlalchemy.NullPool
    )
    with engine.begin() as connection:
        while (migrate.current(connection) or "") >= "0016":
            migrate.down(connection, 1)
    assert world.query(ATTEMPTS) == told
