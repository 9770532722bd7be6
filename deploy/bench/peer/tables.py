"""The peer's tables, in a schema of their own beside ours, and their rows."""

from typing import Final

#: Where they are.
SCHEMA: Final = "peer"

#: What a careful author would declare: keys, an index for a sweep of what is due, one for each look-up.
TABLES: Final = """
DROP SCHEMA IF EXISTS peer CASCADE;
CREATE SCHEMA peer;
CREATE TABLE peer.contacts (
    id bigint PRIMARY KEY, first_name text, phone text, email text, attributes jsonb NOT NULL DEFAULT '{}'
);
CREATE TABLE peer.suppressions (channel text, address text, PRIMARY KEY (channel, address));
CREATE TABLE peer.enrollments (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contact_id bigint NOT NULL REFERENCES peer.contacts, status text NOT NULL DEFAULT 'active'
);
CREATE INDEX ON peer.enrollments (contact_id);
CREATE TABLE peer.outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    enrollment_id bigint NOT NULL REFERENCES peer.enrollments,
    channel text NOT NULL,
    status text NOT NULL DEFAULT 'pending',
    due_at timestamptz NOT NULL,
    lease_until timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    provider_id text,
    error text,
    sent_at timestamptz
);
CREATE INDEX ON peer.outbox (enrollment_id);
CREATE INDEX ON peer.outbox (due_at) WHERE status = 'pending';
"""

#: The contacts of ours that are named, each enrolled, with one step that is due.
FILL: Final = """
WITH people AS (
    INSERT INTO peer.contacts (id, first_name, phone, email, attributes)
    SELECT id, first_name, phone, email, attributes FROM contacts WHERE id = ANY(%(contacts)s) RETURNING id
), enrolled AS (
    INSERT INTO peer.enrollments (contact_id) SELECT id FROM people RETURNING id
)
INSERT INTO peer.outbox (enrollment_id, channel, due_at)
SELECT id, %(channel)s, now() FROM enrolled RETURNING id
"""

ANALYZE: Final = "VACUUM (ANALYZE) peer.contacts, peer.suppressions, peer.enrollments, peer.outbox"

SENT: Final = """
SELECT extract(epoch FROM sent_at)::float8 FROM peer.outbox WHERE status = 'sent' AND id = ANY(%s) ORDER BY 1
"""
