"""Beside many enrollments: what is done to one of them reads no table from end to end."""

from datetime import timedelta
from pathlib import Path

from listening import hear
from people_at_work import act, until_step
from stage_site import Site, wait_for

from engine.database import Database
from engine.outbox.plan import Stretch, plan_enrollments
from engine.rules.planning import plan
from producers import pausing, steering
from producers.bulk.run import run_bulk
from producers.enroll_event import EnrollEvent, publish
from producers.explaining import explain_enrollment
from producers.operator import Operator
from producers.sequences import find_sequence
from schema.states import Reentry

MANY = 10_000

#: What grows with what is sent and enrolled. What counts all of it (status, metrics) is not asked here.
LARGE = ("contacts", "enrollments", "outbox", "attempt_records", "events", "suppressions", "tasks")

TEN_STEPS = """
sequence: ten
goal: {attribute: {plan: pro}}
steps:
  - {key: hello, type: sms, body: Hi}
  - {key: ring, type: call, outcomes: [reached]}
  - {key: paid, type: wait, until: {event: paid, within: 9 days}}
""" + "\n".join(f"  - {{key: step-{number}, type: sms, delay: 1 day, body: Hi}}" for number in range(4, 11))

CONTACTS = """
INSERT INTO contacts (workspace_id, external_id, email, email_key, phone, attributes)
SELECT 1, 'lead-' || n, 'lead' || n || '@example.com', 'lead' || n || '@example.com', '+1' || (2015550000 + n), '{}'
FROM generate_series(1, %s) AS n RETURNING id
"""

#: As if all of them had had their first message, been rung up, and said something.
GONE_OUT = """
UPDATE outbox SET status = 'sent', sent_at = sequence_now(), fence = 2, provider_id = 'SM' || id WHERE step_order = 1
"""
ATTEMPTS = """
INSERT INTO attempt_records
    (outbox_id, fence, workspace_id, channel, recipient, payload, lateness_seconds, ended_at, outcome, provider_id)
SELECT id, 1, 1, 'sms', '+12015550000', '{}', 0, clock_timestamp(), 'accepted', provider_id
FROM outbox WHERE status = 'sent'
"""
TASKS = """
INSERT INTO tasks (workspace_id, enrollment_id, outbox_id, type, name)
SELECT 1, enrollment_id, id, 'call', 'Ring' FROM outbox WHERE step_order = 2
"""
OPEN = "UPDATE outbox SET status = 'open', fence = 1 WHERE step_order = 2"
EVENTS = """
INSERT INTO events (workspace_id, provider, kind, provider_id, status, outbox_id, contact_id, payload, occurred_at)
SELECT 1, 'cadenza', 'signal', 'e' || o.id, 'custom', o.id, e.contact_id, '{"name": "seen"}', sequence_now()
FROM outbox o JOIN enrollments e ON e.id = o.enrollment_id WHERE o.step_order = 1
"""
SUPPRESSIONS = """
INSERT INTO suppressions (workspace_id, channel, address, reason)
SELECT 1, 'sms', '+1' || (3015550000 + n), 'stop' FROM generate_series(1, %s) AS n
"""

SCANS = """
SELECT relname, seq_scan FROM pg_stat_user_tables WHERE relname = ANY(%s) AND schemaname = 'public' ORDER BY relname
"""


def fill(site: Site) -> None:
    """Many who wait for a call."""
    site.world.publish(TEN_STEPS)
    with site.world.database.transaction() as session:
        found = find_sequence(session, 1, "ten")
        stretch = Stretch(1, found.sequence_id, found.version_id, Reentry.ONCE, plan(found.definition))
        contacts = [row[0] for row in session.execute(CONTACTS, (MANY,))]
        plan_enrollments(session, stretch, contacts)
        for statement in (GONE_OUT, ATTEMPTS, OPEN, TASKS, EVENTS):
            session.execute(statement.encode())
        session.execute(SUPPRESSIONS, (MANY,))
    with site.world.database.connect() as session:
        session.execute("VACUUM (ANALYZE)")


def scans(site: Site) -> dict[str, int]:
    """How often each table was read from end to end by connections that have been closed since."""
    with site.world.database.connect() as session:
        return dict(session.execute(SCANS, (list(LARGE),)).fetchall())


def test_what_is_done_to_one_of_many_scans_no_table(site: Site, database_url: str, tmp_path: Path) -> None:
    """By what the database counted, with its own choice of plans."""
    fill(site)
    file = tmp_path / "contacts.csv"
    file.write_text("email,phone,plan\nlead9@example.com,,free\nnew@example.com,+12025550199,free\n")
    before = scans(site)
    database, by = Database(database_url, name="acts"), Operator("default", "test")
    site.world.database = database
    with site.working():
        act(site, "complete", 1, "ring", outcome="reached")
        until_step(site, "paid", "pending", 1)
        wait_for(
            lambda: site.world.rows("outcome", "enrollment_id = 1 AND step_order = 3") == [("undecided",)], "asked"
        )
        hear(site, "custom", email="lead1@example.com", name="paid")
        pausing.pause_enrollment(database, by, 2)
        pausing.resume_one(database, site.wakeups, by, 2)
        steering.skip(database, site.wakeups, by, 1, "step-4")
        steering.run_now(database, site.wakeups, by, 1)
        until_step(site, "step-5", "sent", 1)
        steering.cancel(database, by, 3)
        publish(database, site.wakeups, EnrollEvent("ten", email="lead4@example.com", phone="+12015550004"))
        new = publish(database, site.wakeups, EnrollEvent("ten", email="x@example.com", phone="+12025550198"))
        until_step(site, "hello", "sent", new.enrollment_id)
        assert run_bulk(database, site.wakeups, "default", "ten", str(file)).rejected == 1
        act(site, "snooze", 5, "ring", timedelta(hours=1))
        act(site, "reopen", 1, "ring")
        explained = explain_enrollment(database, "default", 1)
    database.close()
    assert [step["status"] for step in explained.steps][:5] == ["sent", "open", "done", "skipped", "sent"]
    assert scans(site) == before
