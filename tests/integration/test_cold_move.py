"""Steps of enrollments that ended long ago move into the archive, all or none of an enrollment, and nothing is lost."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import sqlalchemy
from everyday import TEXTS, Everyday
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from old_enrollments import end, long_ago, send
from stage_site import wait_for
from world import World

from engine.clock import SequenceClock
from engine.database import Database
from engine.errors import InvalidInput, NotFound
from engine.outbox import cold_move, doubt, explain
from engine.outbox.cold_months import MonthState, months, state_of
from engine.outbox.cold_move import COLUMNS, OF_ATTEMPTS, move_step
from engine.outbox.counters import recount
from engine.outbox.counts import archived_rows, by_sequence, rows_by_status
from engine.outbox.evidence import Evidence, accept_evidence
from engine.outbox.history import ARCHIVED_STORY, story
from engine.outbox.retention import ALL, Cutoff
from engine.wakeups import Wakeups
from producers import cold_months
from producers.explaining import explain_enrollment
from producers.retention import retain
from producers.signals import About, Heard, take_signal
from producers.tasks.acts import complete
from producers.workspaces import find_workspace
from schema import migrate
from schema.states import RowStatus, SignalKind
from schema.tables import archived_attempts, archived_outbox, outbox

#: Everything that has ended is old by this.
FAR = Cutoff(datetime.fromisoformat("2500-01-01T00:00:00Z"), datetime.fromisoformat("2500-01-01T00:00:00Z"))

ALL_ROWS = f"SELECT {COLUMNS} FROM outbox UNION ALL SELECT {COLUMNS} FROM archived_outbox ORDER BY id"
ALL_ATTEMPTS = (
    f"SELECT {OF_ATTEMPTS} FROM attempts UNION ALL SELECT {OF_ATTEMPTS} FROM archived_attempts"
    " ORDER BY outbox_id, fence"
)


def everything(database: Database) -> tuple[list[Any], list[Any]]:
    """All rows and attempts, wherever they are."""
    with database.transaction(snapshot=True) as session:
        return session.execute(ALL_ROWS).fetchall(), session.execute(ALL_ATTEMPTS).fetchall()


def move_all(database: Database, limit: int = 7) -> int:
    """Move what has ended, step by step; return the number of rows."""
    moved, after, is_last = 0, -1, False
    while not is_last:
        with database.transaction() as session:
            step = move_step(session, FAR, ALL, after, limit, dry_run=False)
        moved += sum(rows for rows, _ in step.months.values())
        after, is_last = step.after, step.is_last
    return moved


def old(world: World, count: int) -> list[int]:
    """Enroll, send the first step of each, and end them long ago."""
    ids = [one.enrollment_id for one in world.enroll(count=count)]
    send(world, ids)
    end(world, ids)
    long_ago(world, *ids)
    return ids


def month_of(world: World, enrollment: int) -> date:
    ((month,),) = world.query("SELECT archived_month FROM enrollments WHERE id = %s", enrollment)
    assert isinstance(month, date)
    return month


def test_the_archive_has_the_columns_of_what_it_archives() -> None:
    assert [column.name for column in outbox.columns] == COLUMNS.split(", ")
    assert [column.name for column in archived_outbox.columns] == [*COLUMNS.split(", "), "archived_month"]
    assert [column.name for column in archived_attempts.columns] == [*OF_ATTEMPTS.split(", "), "archived_month"]


def test_steps_move_with_their_attempts_and_the_enrollment_says_where(world: World) -> None:
    ended = old(world, 2)
    running = world.enroll()[0].enrollment_id
    (doubtful,) = [one.enrollment_id for one in world.enroll()]
    send(world, [doubtful], RowStatus.UNKNOWN)
    end(world, [doubtful])
    long_ago(world, running, doubtful)
    before = everything(world.database)

    counted = retain(world.database, 18, dry_run=True)
    assert world.query("SELECT count(*) FROM archived_outbox") == [(0,)]
    done = retain(world.database, 18)
    assert done.document() == counted.document()
    assert everything(world.database) == before
    month = month_of(world, ended[0])
    ((expected,),) = world.query(
        "SELECT date_trunc('month', cancelled_at, 'UTC')::date FROM enrollments WHERE id = %s", ended[0]
    )
    assert month == expected
    assert done.document()["archived"] == [{"month": f"{month:%Y-%m}", "rows": 6, "attempts": 2}]
    assert done.kept == 6
    assert world.query("SELECT DISTINCT enrollment_id FROM archived_outbox ORDER BY 1") == [(one,) for one in ended]
    assert world.query("SELECT id FROM enrollments WHERE archived_month IS NULL ORDER BY 1") == [
        (running,),
        (doubtful,),
    ]
    assert retain(world.database, 18).moved() == 0


def test_figures_stay_true(world: World) -> None:
    old(world, 3)
    recount(world.database)  # the time of the last enrollment was changed by hand
    with world.database.transaction() as session:
        (before,) = by_sequence(session, 1).values()
    assert before.messages_sent == 3
    retain(world.database, 18)
    with world.database.transaction() as session:
        assert list(by_sequence(session, 1).values()) == [before]
        assert sum(rows_by_status(session).values()) == 0
        assert archived_rows(session) == archived_rows(session, 1) == 9
        assert archived_rows(session, 2) == 0
    assert recount(world.database) == 0
    assert cold_months.detach(world.database, cold_months.list_months(world.database)[0].month)
    with world.database.transaction() as session:
        assert list(by_sequence(session, 1).values()) == [before]


def test_an_enrollment_of_which_a_row_is_held_is_left_for_the_next_run(world: World) -> None:
    first, second, third = old(world, 3)
    apart = Database(world.database.url, name="holding")
    with apart.transaction() as holder:
        holder.execute("SELECT FROM outbox WHERE enrollment_id = %s AND step_order = 2 FOR UPDATE", (first,))
        holder.execute("SELECT FROM enrollments WHERE id = %s FOR UPDATE", (second,))
        assert retain(world.database, 18).moved() == 3
        assert world.query("SELECT DISTINCT enrollment_id FROM archived_outbox") == [(third,)]
    assert retain(world.database, 18).moved() == 6
    apart.close()


@pytest.fixture
def wakeups(redis_url: str) -> Iterator[Wakeups]:
    wakeups = Wakeups(redis_url)
    yield wakeups
    wakeups.close()


@pytest.mark.timeout(0)
def test_whatever_happens_nothing_is_lost_or_doubled(database: Database, wakeups: Wakeups) -> None:
    """Acts go on upon enrollments whose steps are archived: none of them may fail but by a refusal."""
    world = World(database)
    for text in TEXTS.values():
        world.publish(text.format(edition=0))
    acts = sorted(Everyday(world, wakeups, Random(0)).acts())  # noqa: S311 (not for secrets)
    moved = 0

    @settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
    @given(
        history=st.lists(
            st.sampled_from(("enroll", "deliver", "deliver", "cancel", *acts, "move")), min_size=8, max_size=25
        ),
        seed=st.integers(0, 1_000),
        limit=st.integers(1, 30),
    )
    def tell(history: list[str], seed: int, limit: int) -> None:
        nonlocal moved
        everyday = Everyday(world, wakeups, Random(seed))  # noqa: S311 (not for secrets)
        for act in (*history, "move"):
            if act != "move":
                everyday.do(act)
                continue
            before = everything(database)
            moved += move_all(database, limit)
            assert everything(database) == before
            with database.transaction() as session:
                ((counted,),) = session.execute("SELECT count(*) FROM archived_outbox").fetchall()
                assert archived_rows(session) == counted
            assert recount(database) == 0
            assert world.query(
                "SELECT count(*) FROM enrollments e WHERE archived_month IS NOT NULL"
                " AND EXISTS (SELECT FROM outbox o WHERE o.enrollment_id = e.id)"
            ) == [(0,)]

    tell()
    assert moved > 50


KILLED = """
import sys
from engine.database import Database
from producers import retention
retention.PAGE = 3
def progress(rows):
    print(rows, flush=True)
    if rows:
        sys.stdin.readline()
retention.retain(Database(sys.argv[1]), 18, progress=progress)
"""


def test_a_run_that_is_killed_between_steps_goes_on_later(world: World) -> None:
    old(world, 6)
    before = everything(world.database)
    killed = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), world.database.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert killed.stdout is not None
    assert killed.stdout.readline() == b"3\n"
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert world.query("SELECT count(*) FROM archived_outbox") == [(3,)]
    assert everything(world.database) == before
    assert retain(world.database, 18).moved() == 15
    assert everything(world.database) == before


def test_a_connection_that_is_cut_within_a_step_leaves_all_as_it_was(world: World) -> None:
    old(world, 2)
    before = everything(world.database)
    cut = Database(world.database.url, name="cut off")
    with pytest.raises(psycopg.OperationalError), cut.transaction() as session:
        assert move_step(session, FAR, ALL, -1, 100, dry_run=False).months
        world.query("SELECT pg_terminate_backend(%s)", session.info.backend_pid)
        session.execute("SELECT 1")
    cut.close()
    assert world.query("SELECT count(*) FROM archived_outbox") == [(0,)]
    assert everything(world.database) == before
    assert retain(world.database, 18).moved() == 6


def test_two_runs_and_writers_at_once(database: Database, wakeups: Wakeups) -> None:
    """Enrollments end, are reported on and move all the time."""
    world = World(database)
    for text in TEXTS.values():
        world.publish(text.format(edition=0))
    others = Database(database.url, size=8)
    stop, failed, done = Event(), list[BaseException](), [0] * 4

    def repeat(number: int, act: Any) -> None:
        try:
            while not stop.is_set():
                act()
                done[number] += 1
        except BaseException as error:
            failed.append(error)
            raise

    def writer(seed: int) -> Any:
        everyday = Everyday(World(others), wakeups, Random(seed))  # noqa: S311 (not for secrets)
        acts = sorted(set(everyday.acts()) - {"pass_a_day", "publish", "migrate", "restore"})
        return lambda: everyday.do(everyday.random.choice(("enroll", "deliver", "cancel", *acts)))

    turns = [writer(1), writer(2), lambda: move_all(others), lambda: move_all(others, 3)]
    threads = [Thread(target=repeat, args=(number, act)) for number, act in enumerate(turns)]
    for thread in threads:
        thread.start()
    try:
        wait_for(
            lambda: (
                bool(failed)
                or (min(done) >= 20 and world.query("SELECT count(*) > 30 FROM archived_outbox") == [(True,)])
            ),
            lambda: done,
        )
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failed
    assert recount(database) == 0
    assert world.query("SELECT count(*), count(DISTINCT id) FROM (" + ALL_ROWS + ") AS row") == world.query(
        "SELECT count(*), count(*) FROM (" + ALL_ROWS + ") AS row"
    )
    assert world.query("SELECT count(*) FROM attempt_records a WHERE NOT EXISTS"
                       " (SELECT FROM outbox o WHERE o.id = a.outbox_id)") == [(0,)]  # fmt: skip
    others.close()


def test_explain_reads_the_archive_and_says_so(world: World) -> None:
    (enrollment,) = old(world, 1)
    before = explain_enrollment(world.database, "default", enrollment)
    retain(world.database, 18)
    after = explain_enrollment(world.database, "default", enrollment)
    month = month_of(world, enrollment)
    name = f"archives.outbox_{month:%Y_%m}"
    assert after.archived == {"month": f"{month:%Y-%m}", "state": "attached", "table": name}
    assert (after.steps, after.history, after.next) == (before.steps, before.history, before.next)
    assert len(after.steps[0]["attempts"]) == 1

    assert cold_months.detach(world.database, month)
    detached = explain_enrollment(world.database, "default", enrollment)
    assert detached.archived is not None
    assert (detached.archived["state"], detached.steps) == ("detached", [])
    cold_months.attach(world.database, month)
    assert explain_enrollment(world.database, "default", enrollment) == after


def test_explain_reads_one_partition(world: World) -> None:
    (enrollment,) = old(world, 1)
    retain(world.database, 18)
    month = month_of(world, enrollment)
    with world.database.transaction() as session:
        for number in range(1, 6):
            cold_move.make_month(session, date(2001, number, 1))
        asked = {"enrollment": enrollment, "month": month, "content": False}
        for query in (explain.ARCHIVED_STEPS, ARCHIVED_STORY):
            plan = "\n".join(line for (line,) in session.execute(f"EXPLAIN {query}".encode(), asked))
            assert f"outbox_{month:%Y_%m}" in plan
            assert f"attempts_{month:%Y_%m}" in plan
            assert "2001" not in plan
        assert len(story(session, enrollment, month)) >= 3


def test_late_callbacks_and_signals_of_archived_messages(world: World) -> None:
    (enrollment,) = old(world, 1)
    (row,) = world.ids("step_order = 1")
    ((sid,),) = world.rows("provider_id", f"id = {row}")
    retain(world.database, 18)
    before = everything(world.database)
    clock = SequenceClock(world.database)
    with world.database.transaction() as session:
        assert accept_evidence(session, clock, Evidence(1, row, 1, sid)) == []
        workspace = find_workspace(session, "default")
        taken = take_signal(session, workspace, Heard(SignalKind.UNSUBSCRIBED, About(message=sid)))
        assert take_signal(
            session, workspace, Heard(SignalKind.CLICKED, About(enrollment_id=enrollment, step="first"))
        ).contact_id == taken.contact_id  # fmt: skip
    assert world.query("SELECT channel FROM suppressions") == [("sms",)]
    assert world.query("SELECT DISTINCT outbox_id FROM events") == [(row,)]
    assert everything(world.database) == before

    month = month_of(world, enrollment)
    assert cold_months.detach(world.database, month)
    with (
        world.database.transaction() as session,
        pytest.raises(NotFound, match=f"{month:%Y-%m} is detached: name the contact"),
    ):
        take_signal(session, workspace, Heard(SignalKind.CLICKED, About(enrollment_id=enrollment, step="first")))


def test_the_message_of_an_archived_row_is_not_taken_for_that_of_a_row_in_doubt(world: World) -> None:
    old(world, 1)
    ((sid,),) = world.rows("provider_id", "step_order = 1")
    retain(world.database, 18)
    (doubtful,) = world.enroll()
    send(world, [doubtful.enrollment_id], RowStatus.UNKNOWN)
    with world.database.transaction() as session:
        (row,) = doubt.doubtful(session, ["sms"], grace=0, interval=0)
        assert doubt.taken_ids(session, row, [sid, "SM0"]) == {sid}


TASKS = """
sequence: by-hand
name: By hand
steps: [{key: call-them, type: call, name: Call them}]
"""


def test_an_archived_task_is_refused(world: World) -> None:
    world.publish(TASKS)
    enrollment = world.enroll("by-hand")[0].enrollment_id
    end(world, [enrollment])
    long_ago(world, enrollment)
    retain(world.database, 18)
    with world.database.transaction() as session, pytest.raises(InvalidInput, match="its steps are archived"):
        complete(session, 1, enrollment, "call-them")


def test_a_contact_is_barred_though_its_steps_are_archived(world: World) -> None:
    (enrollment,) = old(world, 1)
    retain(world.database, 18)
    cold_months.detach(world.database, month_of(world, enrollment))
    world.enrolled = 0
    (again,) = world.enroll()
    assert (again.enrollment_id, again.created) == (enrollment, False)


def test_a_month_is_attached_only_with_what_it_had(world: World) -> None:
    (enrollment, other) = old(world, 2)
    retain(world.database, 18)
    month = month_of(world, enrollment)
    rows, attempts = f"archives.outbox_{month:%Y_%m}", f"archives.attempts_{month:%Y_%m}"
    with pytest.raises(InvalidInput, match="it is attached"):
        cold_months.attach(world.database, month)
    with pytest.raises(NotFound, match=f"archived months: {month:%Y-%m}"):
        cold_months.detach(world.database, month + timedelta(days=40))
    assert cold_months.detach(world.database, month)
    with pytest.raises(InvalidInput, match="it is detached"):
        cold_months.detach(world.database, month)

    world.execute(f"CREATE TABLE kept AS SELECT * FROM {rows}")
    world.execute(f"DELETE FROM {rows} WHERE enrollment_id = %s", other)
    with pytest.raises(InvalidInput, match="has 3 of 6 archived row"):
        cold_months.attach(world.database, month)
    world.execute(f"INSERT INTO {rows} SELECT * FROM kept WHERE enrollment_id = %s", other)
    world.execute(f"UPDATE {rows} SET enrollment_id = 9999 WHERE enrollment_id = %s", other)
    with pytest.raises(InvalidInput, match="3 rows of enrollments that are not archived"):
        cold_months.attach(world.database, month)
    world.execute(f"UPDATE {rows} SET enrollment_id = %s WHERE enrollment_id = 9999", other)
    world.execute(f"UPDATE {attempts} SET archived_month = '2001-01-01'")
    with pytest.raises(InvalidInput, match="rows whose archived_month is not"):
        cold_months.attach(world.database, month)
    world.execute(f"UPDATE {attempts} SET archived_month = %s", month)
    world.execute(f"ALTER TABLE {attempts} ADD COLUMN more integer")
    with pytest.raises(InvalidInput, match="give them the columns"):
        cold_months.attach(world.database, month)
    world.execute(f"ALTER TABLE {attempts} DROP COLUMN more")
    cold_months.attach(world.database, month)
    with world.database.transaction() as session:
        assert [(one.month, one.state, one.rows, one.attempts) for one in months(session)] == [
            (month, MonthState.ATTACHED, 6, 2)
        ]


def test_a_month_that_is_detached_takes_no_more_and_can_be_dropped(world: World) -> None:
    first, second = old(world, 2)
    world.execute(
        "UPDATE outbox SET status = 'review', sent_at = NULL WHERE enrollment_id = %s AND step_order = 1", second
    )
    assert retain(world.database, 18).moved() == 3
    month = month_of(world, first)
    assert cold_months.detach(world.database, month)
    world.execute("UPDATE outbox SET status = 'failed' WHERE enrollment_id = %s AND step_order = 1", second)
    assert (retain(world.database, 18).moved(), retain(world.database, 18).kept) == (0, 3)
    world.execute(f"DROP TABLE archives.outbox_{month:%Y_%m}, archives.attempts_{month:%Y_%m}")
    with world.database.transaction() as session:
        assert state_of(session, month) is MonthState.GONE
    with pytest.raises(InvalidInput, match="restore them from their dump"):
        cold_months.attach(world.database, month)
    explained = explain_enrollment(world.database, "default", first)
    assert explained.archived is not None
    assert explained.archived["state"] == "gone"


def test_a_month_that_a_transaction_reads_is_not_detached(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cold_months, "PAUSE", 0.0)
    (enrollment,) = old(world, 1)
    retain(world.database, 18)
    month = month_of(world, enrollment)
    reading = Database(world.database.url, name="backing up")
    with reading.transaction() as reader:
        reader.execute("SELECT FROM archived_outbox")
        assert not cold_months.detach(world.database, month)
        assert retain(world.database, 18).moved() == 0
    reading.close()
    assert cold_months.detach(world.database, month)


def migrated(database: Database, steps: int) -> None:
    """Go down by that many revisions, and up again."""
    engine = sqlalchemy.create_engine(
        urlsplit(database.url)._replace(scheme="postgresql+psycopg").geturl(), poolclass=sqlalchemy.NullPool
    )
    with engine.begin() as connection:
        migrate.down(connection, steps)
        assert connection.exec_driver_sql("SELECT to_regclass('archived_outbox')").scalar() is None
    with engine.begin() as connection:
        migrate.up(connection)


def revisions_since(name: str) -> int:
    """How many revisions there are from this one on."""
    files = sorted(path.name[:4] for path in (Path(migrate.__file__).parent / "migrations/versions").glob("0*.py"))
    return len(files) - files.index(name)


def test_down_moves_everything_back_and_refuses_to_lose_a_detached_month(world: World) -> None:
    (enrollment, _) = old(world, 2)
    before = everything(world.database)
    rows, attempts = world.query(f"SELECT {COLUMNS} FROM outbox ORDER BY id"), before[1]
    retain(world.database, 18)
    month = month_of(world, enrollment)
    assert cold_months.detach(world.database, month)
    with pytest.raises(sqlalchemy.exc.DBAPIError, match=f"archives of {month:%Y-%m} are detached, and would be lost"):
        migrated(world.database, revisions_since("0024"))
    cold_months.attach(world.database, month)
    migrated(world.database, revisions_since("0024"))
    assert world.query(f"SELECT {COLUMNS} FROM outbox ORDER BY id") == rows
    assert everything(world.database) == (before[0], attempts)
    assert world.query("SELECT count(*) FROM archived_outbox") == [(0,)]
    assert recount(world.database) <= 1  # the time of the last enrollment was changed by hand
    assert retain(world.database, 18).moved() == 6
    assert world.enroll()[0].enrollment_id > enrollment
