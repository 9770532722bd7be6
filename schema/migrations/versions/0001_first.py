"""The first tables, the sequence clock's function, and the workspace `default`."""

from alembic import op

revision = "0001"
down_revision = None

TABLES = r"""
CREATE TABLE attempts (
    outbox_id BIGINT NOT NULL,
    fence INTEGER NOT NULL,
    workspace_id BIGINT NOT NULL,
    channel TEXT NOT NULL,
    recipient TEXT NOT NULL,
    payload JSONB NOT NULL,
    lateness_seconds REAL NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    outcome TEXT,
    provider_id TEXT,
    error_code TEXT,
    detail TEXT,
    looks SMALLINT DEFAULT '0' NOT NULL,
    looked_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT attempts_pkey PRIMARY KEY (outbox_id, fence),
    CONSTRAINT attempts_outcome_check CHECK (outcome IN ('accepted', 'refused', 'deferred', 'held', 'unanswered')),
    CONSTRAINT attempts_ended_at_check CHECK ((outcome IS NULL) = (ended_at IS NULL))
);
COMMENT ON COLUMN attempts.fence IS 'the fence of the claim: names the attempt within its row';
COMMENT ON COLUMN attempts.payload IS 'what was handed over, rendered';
COMMENT ON COLUMN attempts.lateness_seconds IS 'real seconds from due to hand-over';
COMMENT ON COLUMN attempts.ended_at IS 'real time';
COMMENT ON COLUMN attempts.outcome IS 'null: handed over, not answered yet';
COMMENT ON COLUMN attempts.detail IS 'what the provider said, without addresses';
COMMENT ON COLUMN attempts.looks IS 'look-ups that found nothing';
COMMENT ON COLUMN attempts.looked_at IS 'real time of the last look-up';

CREATE TABLE clock (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    real_from TIMESTAMP WITH TIME ZONE NOT NULL,
    sequence_from TIMESTAMP WITH TIME ZONE NOT NULL,
    rate DOUBLE PRECISION NOT NULL,
    CONSTRAINT clock_pkey PRIMARY KEY (id),
    CONSTRAINT clock_rate_check CHECK (rate > 0)
);
COMMENT ON COLUMN clock.id IS 'the last one is in force';
COMMENT ON COLUMN clock.rate IS 'sequence seconds in a real second';

CREATE TABLE dispatch (
    id BOOLEAN DEFAULT true NOT NULL,
    database UUID DEFAULT gen_random_uuid() NOT NULL,
    beat BIGINT DEFAULT '0' NOT NULL,
    beaten_at TIMESTAMP WITH TIME ZONE,
    open_until TIMESTAMP WITH TIME ZONE DEFAULT 'infinity' NOT NULL,
    CONSTRAINT dispatch_pkey PRIMARY KEY (id),
    CONSTRAINT dispatch_one_row_check CHECK (id)
);
COMMENT ON COLUMN dispatch.id IS 'there is one row';
COMMENT ON COLUMN dispatch.database IS 'tells databases apart';
COMMENT ON COLUMN dispatch.beat IS 'grows with every sweep';
COMMENT ON COLUMN dispatch.beaten_at IS 'real time';
COMMENT ON COLUMN dispatch.open_until IS 'real time: no claims after it';

CREATE TABLE outbox (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    workspace_id BIGINT NOT NULL,
    enrollment_id BIGINT NOT NULL,
    step_order SMALLINT NOT NULL,
    step_key TEXT NOT NULL,
    type TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT,
    due_at TIMESTAMP WITH TIME ZONE,
    retry_at TIMESTAMP WITH TIME ZONE,
    attempts SMALLINT DEFAULT '0' NOT NULL,
    fence INTEGER DEFAULT '0' NOT NULL,
    lease_until TIMESTAMP WITH TIME ZONE,
    provider_id TEXT,
    error_code TEXT,
    sent_at TIMESTAMP WITH TIME ZONE,
    delivery_status TEXT,
    CONSTRAINT outbox_pkey PRIMARY KEY (id),
    CONSTRAINT outbox_type_check CHECK (type IN ('sms', 'email', 'call', 'social_message', 'internal_activity', 'condition', 'wait', 'action')),
    CONSTRAINT outbox_status_check CHECK (status IN ('waiting', 'pending', 'sending', 'open', 'sent', 'done', 'failed', 'unknown', 'review', 'skipped', 'cancelled')),
    CONSTRAINT outbox_lease_until_check CHECK ((status = 'sending') = (lease_until IS NOT NULL)),
    CONSTRAINT outbox_due_at_check CHECK (status <> 'pending' OR due_at IS NOT NULL),
    CONSTRAINT outbox_sent_at_check CHECK ((status = 'sent') = (sent_at IS NOT NULL)),
    CONSTRAINT outbox_skipped_reason_check CHECK (status <> 'skipped' OR reason IS NOT NULL)
);
CREATE INDEX outbox_doubt_idx ON outbox (status, id) WHERE status IN ('unknown', 'review', 'open');
CREATE INDEX outbox_due_idx ON outbox (workspace_id, due_at) WHERE status = 'pending';
CREATE UNIQUE INDEX outbox_enrollment_step_key ON outbox (enrollment_id, step_order);
CREATE INDEX outbox_lease_idx ON outbox (lease_until) WHERE status = 'sending';
COMMENT ON COLUMN outbox.step_order IS 'from 1, in the order of the sequence version';
COMMENT ON COLUMN outbox.reason IS 'why it is in this status';
COMMENT ON COLUMN outbox.due_at IS 'sequence time; null while waiting behind a gate';
COMMENT ON COLUMN outbox.retry_at IS 'real time: not before this, after a refusal for now';
COMMENT ON COLUMN outbox.attempts IS 'tries: answers that refused for now';
COMMENT ON COLUMN outbox.fence IS 'grows at each change of status';
COMMENT ON COLUMN outbox.lease_until IS 'real time';
COMMENT ON COLUMN outbox.provider_id IS 'the Twilio SID; for email the Message-ID with its <>';
COMMENT ON COLUMN outbox.error_code IS 'the provider''s: a Twilio error code, an SMTP reply code';
COMMENT ON COLUMN outbox.sent_at IS 'sequence time';
COMMENT ON COLUMN outbox.delivery_status IS 'what the provider last said of its delivery';

CREATE TABLE workspaces (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    key TEXT NOT NULL,
    public_id TEXT DEFAULT 'ws_' || replace(gen_random_uuid()::text, '-', '') NOT NULL,
    name TEXT NOT NULL,
    timezone TEXT DEFAULT 'UTC' NOT NULL,
    region TEXT DEFAULT 'US' NOT NULL,
    max_tries SMALLINT DEFAULT '3' NOT NULL,
    sender_name TEXT,
    email_from TEXT,
    smtp_guarantee TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT workspaces_pkey PRIMARY KEY (id),
    CONSTRAINT workspaces_key_key UNIQUE (key),
    CONSTRAINT workspaces_public_id_key UNIQUE (public_id),
    CONSTRAINT workspaces_key_check CHECK (key ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    CONSTRAINT workspaces_region_check CHECK (region ~ '^[A-Z]{2}$'),
    CONSTRAINT workspaces_smtp_guarantee_check CHECK (smtp_guarantee IN ('at_most_once', 'at_least_once')),
    CONSTRAINT workspaces_max_tries_check CHECK (max_tries BETWEEN 1 AND 20)
);
COMMENT ON COLUMN workspaces.public_id IS 'opaque: stands for the workspace in URLs and Message-IDs';
COMMENT ON COLUMN workspaces.timezone IS 'IANA name';
COMMENT ON COLUMN workspaces.region IS 'ISO 3166 code: national phone numbers';
COMMENT ON COLUMN workspaces.max_tries IS 'answers ''not now'' before a row fails';
COMMENT ON COLUMN workspaces.email_from IS 'the sender of its email; null: CADENZA_EMAIL_FROM';
COMMENT ON COLUMN workspaces.smtp_guarantee IS 'null: CADENZA_SMTP_GUARANTEE';

CREATE TABLE contacts (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    workspace_id BIGINT NOT NULL,
    external_id TEXT,
    email TEXT,
    email_key TEXT,
    phone TEXT,
    first_name TEXT,
    last_name TEXT,
    timezone TEXT,
    attributes JSONB DEFAULT '{}'::jsonb NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT contacts_pkey PRIMARY KEY (id),
    CONSTRAINT contacts_workspace_id_id_key UNIQUE (workspace_id, id),
    CONSTRAINT contacts_has_key_check CHECK (num_nonnulls(external_id, email, phone) > 0),
    CONSTRAINT contacts_email_key_check CHECK ((email IS NULL) = (email_key IS NULL)),
    CONSTRAINT contacts_phone_check CHECK (phone ~ '^\+[1-9][0-9]{3,14}$'),
    CONSTRAINT contacts_workspace_id_fkey FOREIGN KEY(workspace_id) REFERENCES workspaces (id)
);
CREATE UNIQUE INDEX contacts_email_key_key ON contacts (workspace_id, email_key) WHERE email_key IS NOT NULL;
CREATE UNIQUE INDEX contacts_external_id_key ON contacts (workspace_id, external_id) WHERE external_id IS NOT NULL;
CREATE UNIQUE INDEX contacts_phone_key ON contacts (workspace_id, phone) WHERE phone IS NOT NULL;
COMMENT ON COLUMN contacts.email IS 'as given, the domain in lower case';
COMMENT ON COLUMN contacts.email_key IS 'the email case-folded: what it is matched by';
COMMENT ON COLUMN contacts.phone IS 'E.164';
COMMENT ON COLUMN contacts.timezone IS 'IANA name';

CREATE TABLE sequences (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    workspace_id BIGINT NOT NULL,
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    tags TEXT[] DEFAULT '{}' NOT NULL,
    status TEXT DEFAULT 'active' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT sequences_pkey PRIMARY KEY (id),
    CONSTRAINT sequences_workspace_id_key_key UNIQUE (workspace_id, key),
    CONSTRAINT sequences_workspace_id_id_key UNIQUE (workspace_id, id),
    CONSTRAINT sequences_status_check CHECK (status IN ('draft', 'active', 'paused', 'archived')),
    CONSTRAINT sequences_workspace_id_fkey FOREIGN KEY(workspace_id) REFERENCES workspaces (id)
);

CREATE TABLE suppressions (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    workspace_id BIGINT NOT NULL,
    channel TEXT NOT NULL,
    address TEXT NOT NULL,
    reason TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT suppressions_pkey PRIMARY KEY (id),
    CONSTRAINT suppressions_workspace_id_channel_address_key UNIQUE (workspace_id, channel, address),
    CONSTRAINT suppressions_channel_check CHECK (channel IN ('sms', 'email')),
    CONSTRAINT suppressions_workspace_id_fkey FOREIGN KEY(workspace_id) REFERENCES workspaces (id)
);
COMMENT ON COLUMN suppressions.address IS 'E.164, or the case-folded email';

CREATE TABLE batches (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    workspace_id BIGINT NOT NULL,
    sequence_id BIGINT NOT NULL,
    name TEXT,
    digest TEXT NOT NULL,
    records BIGINT DEFAULT '0' NOT NULL,
    enrolled BIGINT DEFAULT '0' NOT NULL,
    repeats BIGINT DEFAULT '0' NOT NULL,
    rejected BIGINT DEFAULT '0' NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT batches_pkey PRIMARY KEY (id),
    CONSTRAINT batches_workspace_id_sequence_id_fkey FOREIGN KEY(workspace_id, sequence_id) REFERENCES sequences (workspace_id, id),
    CONSTRAINT batches_sequence_id_name_key UNIQUE (sequence_id, name)
);
COMMENT ON COLUMN batches.name IS '--batch; null: a run that cannot be resumed';
COMMENT ON COLUMN batches.digest IS 'SHA-256 of the file';
COMMENT ON COLUMN batches.records IS 'how many are committed';

CREATE TABLE sequence_versions (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    workspace_id BIGINT NOT NULL,
    sequence_id BIGINT NOT NULL,
    number INTEGER NOT NULL,
    definition JSONB NOT NULL,
    digest TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT sequence_versions_pkey PRIMARY KEY (id),
    CONSTRAINT sequence_versions_workspace_id_sequence_id_fkey FOREIGN KEY(workspace_id, sequence_id) REFERENCES sequences (workspace_id, id),
    CONSTRAINT sequence_versions_sequence_id_number_key UNIQUE (sequence_id, number),
    CONSTRAINT sequence_versions_workspace_id_id_key UNIQUE (workspace_id, id),
    CONSTRAINT sequence_versions_number_check CHECK (number > 0)
);
COMMENT ON COLUMN sequence_versions.definition IS 'normalised; a trigger refuses every change';
COMMENT ON COLUMN sequence_versions.digest IS 'SHA-256 of the canonical definition';

CREATE TABLE batch_rejects (
    batch_id BIGINT NOT NULL,
    line BIGINT NOT NULL,
    reason TEXT NOT NULL,
    fields TEXT[] NOT NULL,
    CONSTRAINT batch_rejects_pkey PRIMARY KEY (batch_id, line),
    CONSTRAINT batch_rejects_batch_id_fkey FOREIGN KEY(batch_id) REFERENCES batches (id) ON DELETE CASCADE
);
COMMENT ON COLUMN batch_rejects.line IS 'the physical line on which the record starts';

CREATE TABLE enrollments (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    workspace_id BIGINT NOT NULL,
    sequence_id BIGINT NOT NULL,
    version_id BIGINT NOT NULL,
    contact_id BIGINT NOT NULL,
    status TEXT DEFAULT 'active' NOT NULL,
    exit_reason TEXT,
    reentry TEXT NOT NULL,
    batch_id BIGINT,
    data JSONB DEFAULT '{}'::jsonb NOT NULL,
    enrolled_at TIMESTAMP WITH TIME ZONE NOT NULL,
    paused_at TIMESTAMP WITH TIME ZONE,
    completed_at TIMESTAMP WITH TIME ZONE,
    cancelled_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT enrollments_pkey PRIMARY KEY (id),
    CONSTRAINT enrollments_workspace_id_contact_id_fkey FOREIGN KEY(workspace_id, contact_id) REFERENCES contacts (workspace_id, id),
    CONSTRAINT enrollments_workspace_id_version_id_fkey FOREIGN KEY(workspace_id, version_id) REFERENCES sequence_versions (workspace_id, id),
    CONSTRAINT enrollments_status_check CHECK (status IN ('active', 'paused', 'completed', 'cancelled')),
    CONSTRAINT enrollments_reentry_check CHECK (reentry IN ('once', 'after_exit', 'always')),
    CONSTRAINT enrollments_paused_at_check CHECK ((status = 'paused') = (paused_at IS NOT NULL)),
    CONSTRAINT enrollments_completed_at_check CHECK ((status = 'completed') = (completed_at IS NOT NULL)),
    CONSTRAINT enrollments_cancelled_at_check CHECK ((status = 'cancelled') = (cancelled_at IS NOT NULL)),
    CONSTRAINT enrollments_exit_reason_check CHECK ((status = 'cancelled') = (exit_reason IS NOT NULL)),
    CONSTRAINT enrollments_batch_id_fkey FOREIGN KEY(batch_id) REFERENCES batches (id)
);
CREATE UNIQUE INDEX enrollments_batch_key ON enrollments (batch_id, contact_id) WHERE batch_id IS NOT NULL;
CREATE INDEX enrollments_contact_idx ON enrollments (contact_id, sequence_id);
CREATE UNIQUE INDEX enrollments_reentry_key ON enrollments (sequence_id, contact_id) WHERE reentry = 'once' OR reentry = 'after_exit' AND status IN ('active', 'paused');
COMMENT ON COLUMN enrollments.reentry IS 'the rule under which it was made';
COMMENT ON COLUMN enrollments.data IS 'custom.* of this enrollment alone';
COMMENT ON COLUMN enrollments.enrolled_at IS 'sequence time';
COMMENT ON COLUMN enrollments.paused_at IS 'sequence time';
COMMENT ON COLUMN enrollments.completed_at IS 'sequence time';
COMMENT ON COLUMN enrollments.cancelled_at IS 'sequence time';

CREATE TABLE enroll_events (
    workspace_id BIGINT NOT NULL,
    idempotency_key TEXT NOT NULL,
    digest TEXT NOT NULL,
    enrollment_id BIGINT NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT enroll_events_pkey PRIMARY KEY (workspace_id, idempotency_key),
    CONSTRAINT enroll_events_workspace_id_fkey FOREIGN KEY(workspace_id) REFERENCES workspaces (id),
    CONSTRAINT enroll_events_enrollment_id_fkey FOREIGN KEY(enrollment_id) REFERENCES enrollments (id)
);
COMMENT ON COLUMN enroll_events.idempotency_key IS 'honoured forever: rows are never removed';
COMMENT ON COLUMN enroll_events.digest IS 'SHA-256 of the request: another one may not reuse the key';
"""

FUNCTIONS = r"""
CREATE FUNCTION sequence_now() RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL RESTRICTED AS $$
    SELECT sequence_from + (clock_timestamp() - real_from) * rate FROM clock ORDER BY id DESC LIMIT 1
$$;
COMMENT ON FUNCTION sequence_now() IS 'The time that schedules live in: real time, unless someone has moved the clock.';

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is immutable: publish a new version instead', TG_TABLE_NAME;
END
$$;

CREATE TRIGGER sequence_versions_immutable BEFORE UPDATE ON sequence_versions
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

FIRST_ROWS = """
INSERT INTO clock (real_from, sequence_from, rate) VALUES ('1970-01-01 00:00:00+00', '1970-01-01 00:00:00+00', 1);
INSERT INTO dispatch DEFAULT VALUES;
INSERT INTO workspaces (key, name) VALUES ('default', 'Default');
"""


def upgrade() -> None:
    """Make everything."""
    for statements in (TABLES, FUNCTIONS, FIRST_ROWS):
        op.execute(statements)


def downgrade() -> None:
    """Take everything away."""
    op.execute(
        "DROP TABLE enroll_events, enrollments, batch_rejects, sequence_versions, batches, suppressions, sequences, contacts, workspaces, outbox, dispatch, clock, attempts"
    )
    op.execute("DROP FUNCTION sequence_now(), refuse_change()")
