"""300,000 outbox rows, and the statistics of other times: what plans must be good for."""

from typing import Final

import psycopg

#: Enrollments; each has five rows.
ENROLLMENTS: Final = 60_000
WORKSPACES: Final = 100

#: Autovacuum would bring the statistics up to date.
FREEZE: Final = """
DO $$ DECLARE name text; BEGIN
    FOREACH name IN ARRAY ARRAY[
        'contacts', 'enrollments', 'outbox', 'attempt_records', 'suppressions', 'events', 'tasks', 'contact_holds'
    ] LOOP
        EXECUTE format('ALTER TABLE %I SET (autovacuum_enabled = off)', name);
    END LOOP;
END $$
"""

SEQUENCES: Final = f"""
INSERT INTO workspaces (key, name) SELECT 'w' || n, 'W' FROM generate_series(2, {WORKSPACES}) AS n;
INSERT INTO sequences (workspace_id, key, name) SELECT id, 'welcome', 'Welcome' FROM workspaces ORDER BY id;
INSERT INTO sequence_versions (workspace_id, sequence_id, number, definition, digest)
SELECT workspace_id, id, 1, '{{"steps": [], "exit_on": ["replied"]}}', 'd' FROM sequences ORDER BY id;
"""

#: Contacts that wait for an operator's decision: none of those that the statements are given.
HELD_CONTACTS: Final = f"""
WITH written AS (
    INSERT INTO events (workspace_id, provider, kind, provider_id, status, contact_id, payload)
    SELECT workspace_id, 'twilio', 'inbound', 'SMin' || id, 'doubtful', id, '{{}}'
    FROM contacts WHERE id > {ENROLLMENTS // 2 + 10_000}
    RETURNING id, contact_id, workspace_id
)
INSERT INTO contact_holds (event_id, contact_id, channel, workspace_id)
SELECT id, contact_id, 'sms', workspace_id FROM written;
"""

PEOPLE: Final = f"""
INSERT INTO contacts (workspace_id, email, email_key, phone)
SELECT 1 + n %% {WORKSPACES}, 'p' || n || '@example.com', 'p' || n || '@example.com', '+1' || (2015550000 + n)
FROM generate_series(1, {ENROLLMENTS}) AS n;
INSERT INTO enrollments (workspace_id, sequence_id, version_id, contact_id, reentry, enrolled_at)
SELECT c.workspace_id, c.workspace_id, c.workspace_id, c.id, 'once', now() - interval '1 day'
FROM contacts c ORDER BY c.id;
INSERT INTO suppressions (workspace_id, channel, address, reason)
SELECT 1, 'sms', '+1' || (3015550000 + n), 'stop' FROM generate_series(1, 20000) AS n;
{HELD_CONTACTS}
"""

#: The first is sent, the second is due, the third will be, the others wait; and the first few enrollments are special.
ROWS: Final = """
INSERT INTO outbox
    (workspace_id, enrollment_id, step_order, step_key, type, status, due_at, sent_at, fence, provider_id)
SELECT e.workspace_id, e.id, n, 's' || n, CASE WHEN n = 4 THEN 'call' ELSE 'sms' END,
    (ARRAY['sent', 'pending', 'pending', 'waiting', 'waiting'])[n],
    CASE WHEN n <= 3 THEN now() - interval '1 minute' + (n - 2) * interval '1 day' END, CASE WHEN n = 1 THEN now() END,
    CASE WHEN n = 1 THEN 2 ELSE 0 END, CASE WHEN n = 1 THEN 'SM' || e.id END
FROM enrollments e, generate_series(1, 5) AS n ORDER BY e.id, n;
INSERT INTO attempt_records
    (outbox_id, fence, workspace_id, channel, recipient, payload, lateness_seconds, ended_at, outcome, provider_id)
SELECT o.id, 1, o.workspace_id, 'sms', c.phone, '{"body": "Hi"}', 0, now(), 'accepted', o.provider_id
FROM outbox o JOIN enrollments e ON e.id = o.enrollment_id JOIN contacts c ON c.id = e.contact_id
WHERE o.step_order = 1 ORDER BY o.id;
"""

#: Enrollments 1 to 40 have a row that is being handed over, those to 80 one whose lease is over, those to 120 one in
#: doubt, and those to 160 are paused.
SPECIAL: Final = """
UPDATE outbox SET status = 'sending', fence = 1,
    lease_until = now() + CASE WHEN enrollment_id <= 40 THEN interval '1 hour' ELSE interval '-1 hour' END
WHERE step_order = 2 AND enrollment_id <= 80;
UPDATE outbox SET status = 'unknown', fence = 2 WHERE step_order = 2 AND enrollment_id BETWEEN 81 AND 120;
INSERT INTO attempt_records
    (outbox_id, fence, workspace_id, channel, recipient, payload, lateness_seconds, ended_at, outcome)
SELECT o.id, 1, o.workspace_id, 'sms', c.phone, '{"body": "Hi"}', 0,
    CASE WHEN o.status = 'unknown' THEN now() - interval '1 hour' END,
    CASE WHEN o.status = 'unknown' THEN 'unanswered' END
FROM outbox o JOIN enrollments e ON e.id = o.enrollment_id JOIN contacts c ON c.id = e.contact_id
WHERE o.step_order = 2 AND o.enrollment_id <= 120
ON CONFLICT DO NOTHING;
UPDATE enrollments SET status = 'paused', paused_at = now() WHERE id BETWEEN 121 AND 160;
"""

ALL_COMPLETED: Final = """
UPDATE enrollments SET status = 'completed', paused_at = NULL, completed_at = now();
UPDATE outbox SET status = 'sent', sent_at = now(), lease_until = NULL, provider_id = coalesce(provider_id, 'SM' || id);
"""

#: All are active again; most belong to the first workspace.
ONE_HUGE: Final = f"""
UPDATE enrollments SET status = 'active', completed_at = NULL,
    workspace_id = CASE WHEN id %% 10 < 8 THEN 1 ELSE workspace_id END,
    sequence_id = CASE WHEN id %% 10 < 8 THEN 1 ELSE sequence_id END,
    version_id = CASE WHEN id %% 10 < 8 THEN 1 ELSE version_id END;
UPDATE outbox SET status = (ARRAY['sent', 'pending', 'pending', 'waiting', 'waiting'])[step_order],
    sent_at = CASE WHEN step_order = 1 THEN sent_at END,
    provider_id = CASE WHEN step_order = 1 THEN provider_id END,
    fence = CASE WHEN step_order = 1 THEN 2 ELSE 0 END,
    workspace_id = CASE WHEN enrollment_id %% 10 < 8 THEN 1 ELSE workspace_id END;
{SPECIAL}
"""


def run(session: "psycopg.Connection[tuple[object, ...]]", statements: str) -> None:
    """Run statements that have no parameters."""
    session.execute(statements.replace("%%", "%").encode())
