"""Scenario 16: the database is restored from a backup that knows nothing of what went out since."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
from stage import Play, run, wait_for

from deploy.audit import Kind
from deploy.chaos.servers import OwnServers
from engine.clock import SequenceClock
from producers.review import Decision, decide

WENT_BACK = "the database went back in time"

SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'"


def test_16_an_older_backup_is_restored(play: Play, own: OwnServers) -> None:
    """What fell due since is held; a person decides it by what the provider knows; nobody gets anything twice."""
    stage = play.stage
    workers = stage.workers()
    (pid,) = workers.wait_for_children()
    play.enroll("steps", count=3)
    play.until(sent=3, pending=6)
    workers.freeze(pid)
    went_out, did_not = ([play.next_event("sms") for _ in range(count)] for count in (4, 2))
    for event in (*went_out, *did_not):
        play.enroll_event(event)
    backup, beat = back_up(play, own), last_beat(play)
    for event in did_not:
        stage.sandbox.client.add_fault("sms", "reply", status=429, code=20429, to=event.phone)
    workers.thaw(pid)
    play.until(sent=7, pending=8)
    wait_for(lambda: last_beat(play) > beat, "their heart has beaten since: a younger backup is not noticed")
    workers.terminate()
    restore(play, own, backup)
    doctor = run(stage, "doctor", "--json")
    assert doctor.returncode == 1
    assert WENT_BACK in doctor.stdout
    stage.sandbox.client.end_faults()
    workers = stage.workers()
    play.until(sent=3, review=6, pending=6)
    wait_for(lambda: WENT_BACK in workers.log.read_text(), "they say so")
    assert stage.audit().counts == {Kind.INVENTED: 4}  # which is what the question is about
    decide_all(play)
    play.until(sent=9, pending=6)
    play.jump(1)
    play.until(sent=12, pending=3)
    assert Counter(Counter((entry.to, entry.body) for entry in play.accepted()).values()) == {1: 12}
    # Of those four nothing is left but what a person said of them.
    assert stage.audit().counts == {Kind.INVENTED: 4, Kind.WRONG: 4}


def decide_all(play: Play) -> None:
    """A person looks each of them up at the provider, and decides."""
    accepted = Counter(entry.to for entry in play.accepted())
    held = play.query(
        "SELECT o.id, c.phone FROM outbox o JOIN enrollments e ON e.id = o.enrollment_id"
        " JOIN contacts c ON c.id = e.contact_id WHERE o.status = 'review' ORDER BY o.id"
    )
    clock = SequenceClock(play.stage.database)
    for row_id, phone in held:
        decision = Decision.SENT if accepted[phone] else Decision.RESEND
        with play.stage.database.transaction() as session:
            resolved = decide(session, clock, 1, row_id, decision)
        play.stage.wakeups.schedule(resolved.wakeups)


def last_beat(play: Play) -> int:
    """The heartbeat that Redis knows, which is noted after the database's."""
    ((database,),) = play.query("SELECT database::text FROM dispatch")
    return play.stage.wakeups.known_beat(database)


def back_up(play: Play, own: OwnServers) -> str:
    """A backup of the database, an hour old; give its name."""
    name = database_name(play)
    backup = f"{name}_backup"
    with closed(own, name):
        own.execute(f"CREATE DATABASE {backup} TEMPLATE {name}")
    with psycopg.connect(play.stage.database_url.replace(name, backup)) as session:
        session.execute("UPDATE dispatch SET open_until = now() - interval '1 hour'")
    return backup


def restore(play: Play, own: OwnServers, backup: str) -> None:
    """Put the backup in the place of the database."""
    name = database_name(play)
    own.execute(f"DROP DATABASE {name} WITH (FORCE)")
    own.execute(f"ALTER DATABASE {backup} RENAME TO {name}")


@contextmanager
def closed(own: OwnServers, name: str) -> Iterator[None]:
    """Meanwhile nobody is connected to a database, nor can be."""
    own.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    own.execute(SESSIONS.format(name))
    try:
        yield
    finally:
        own.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def database_name(play: Play) -> str:
    return urlsplit(play.stage.database_url).path.lstrip("/")
