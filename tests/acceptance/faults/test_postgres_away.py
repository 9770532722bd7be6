"""Scenarios 14 to 16: Postgres restarted at once, a COMMIT whose reply is lost, an older backup restored."""

from collections import Counter

import psycopg
import pytest
from stage import COMMIT, Play, begins, run, wait_for

from deploy.chaos.servers import OwnServers
from deploy.chaos.trap import Strike
from engine.outbox.begin import BEGIN
from engine.outbox.claim import CLAIM
from engine.outbox.settle import SETTLE


def test_14_restarted_immediately_while_it_sends(play: Play, own: OwnServers) -> None:
    stage = play.stage
    stage.wakeups.schedule(play.fill(3_000))
    workers = stage.workers(2)
    before = workers.wait_for_children()
    for sent in (100, 800, 1_500):
        wait_for(lambda least=sent: sent_now(play) >= least, f"{sent} are sent")  # type: ignore[misc]
        own.restart_postgres()
    play.until(sent=3_000)
    play.judge(once=3_000)
    assert workers.children() == before


@pytest.mark.parametrize("strike", [Strike.CUT, Strike.RESET])
@pytest.mark.parametrize(
    "statement", [CLAIM, BEGIN, SETTLE], ids=["of a claim", "of the attempts", "of how they ended"]
)
def test_15_the_reply_to_a_commit_is_lost(play: Play, statement: str, strike: Strike) -> None:
    trap = play.stage.postgres_proxy.trap(begins(statement), COMMIT, strike=strike)
    play.enroll(count=10)
    workers = play.stage.workers()
    before = workers.wait_for_children()
    assert trap.wait(60)
    play.until(sent=10)
    play.judge(once=10)
    assert workers.children() == before


@pytest.mark.parametrize("strike", [Strike.CUT, Strike.RESET])
def test_15_the_reply_to_the_commit_of_an_enrollment_is_lost(play: Play, strike: Strike) -> None:
    """Who asked can't know; asking again with the same key gives the same enrollment."""
    stage = play.stage
    trap = stage.postgres_proxy.trap(b"INSERT INTO enroll_events", COMMIT, strike=strike)
    asked = ("publish", "sms", "--phone", "+12015550100", "--idempotency-key", "order-1")
    first = run(stage, *asked)
    assert trap.struck == 1
    assert first.returncode == 1
    assert first.stderr.count("\n") == 1
    assert run(stage, *asked).returncode == 0
    assert play.query("SELECT count(*) FROM enrollments") == [(1,)]
    stage.workers()
    play.until(sent=1)
    play.judge(once=1)


def sent_now(play: Play) -> int:
    """How many rows are sent, by the ledger: the database may be away."""
    return len(play.accepted())


def test_16_an_older_backup_is_restored(play: Play, own: OwnServers) -> None:
    """The backup knows nothing of what went out since: that is held, and nobody gets it again."""
    stage = play.stage
    workers = stage.workers()
    play.enroll("steps", count=5)
    play.until(sent=5, pending=10)
    workers.terminate()
    went_out, did_not = ([play.next_event("sms") for _ in range(count)] for count in (5, 3))
    for event in (*went_out, *did_not):
        play.enroll_event(event)
    backup = copied(play, own)
    for event in did_not:
        stage.sandbox.client.add_fault("sms", "reply", status=429, code=20429, to=event.phone)
    workers = stage.workers()
    play.until(sent=10, pending=13)
    workers.terminate()
    restored(play, own, backup)
    doctor = run(stage, "doctor", "--json")
    assert doctor.returncode == 1
    assert "the database went back in time" in doctor.stdout
    stage.sandbox.client.end_faults()
    workers = stage.workers()
    play.until(sent=5, review=8, pending=10)
    assert "the database went back in time" in workers.log.read_text()
    assert len(play.accepted()) == 10
    accepted = Counter(entry.to for entry in play.accepted())
    held = play.query(
        "SELECT o.id, c.phone FROM outbox o JOIN enrollments e ON e.id = o.enrollment_id"
        " JOIN contacts c ON c.id = e.contact_id WHERE o.status = 'review' ORDER BY o.id"
    )
    for row_id, phone in held:
        decided = run(stage, "review", str(row_id), "sent" if accepted[phone] else "resend")
        assert decided.returncode == 0, decided.stderr
    play.until(sent=13, pending=10)
    play.jump(1)
    play.until(sent=18, pending=5)
    assert Counter(Counter((entry.to, entry.body) for entry in play.accepted()).values()) == {1: 18}


def copied(play: Play, own: OwnServers) -> str:
    """A backup of the database, an hour old; give its name."""
    name = database_name(play.stage.database_url)
    backup = f"{name}_backup"
    end_sessions(own, name)
    own.execute(f"CREATE DATABASE {backup} TEMPLATE {name}")
    with psycopg.connect(play.stage.database_url.replace(name, backup)) as session:
        session.execute("UPDATE dispatch SET open_until = now() - interval '1 hour'")
    return backup


def restored(play: Play, own: OwnServers, backup: str) -> None:
    """Put the backup in the place of the database."""
    name = database_name(play.stage.database_url)
    end_sessions(own, name)
    own.execute(f"DROP DATABASE {name} WITH (FORCE)")
    own.execute(f"ALTER DATABASE {backup} RENAME TO {name}")


def end_sessions(own: OwnServers, name: str) -> None:
    own.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")


def database_name(url: str) -> str:
    return url.rpartition("/")[2]
