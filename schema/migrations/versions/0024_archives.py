"""Archive tables, partitioned by month, for steps of enrollments that ended long ago (docs/decisions/0029)."""

from alembic import op

revision = "0024"
down_revision = "0023"

UP = """
ALTER TABLE enrollments ADD COLUMN archived_month DATE;
COMMENT ON COLUMN enrollments.archived_month IS 'its steps are in the archive of this month; null: in outbox';

CREATE TABLE archived_outbox (
    LIKE outbox,
    archived_month DATE NOT NULL,
    CONSTRAINT archived_outbox_pkey PRIMARY KEY (id, archived_month)
) PARTITION BY RANGE (archived_month);
CREATE INDEX archived_outbox_enrollment_idx ON archived_outbox (enrollment_id, step_order);
CREATE INDEX archived_outbox_provider_idx ON archived_outbox (provider_id) WHERE provider_id IS NOT NULL;
CREATE INDEX archived_outbox_variants_idx ON archived_outbox (workspace_id, step_key, enrollment_id)
    WHERE type = 'variants';

CREATE TABLE archived_attempts (
    outbox_id BIGINT NOT NULL,
    fence INTEGER NOT NULL,
    workspace_id BIGINT NOT NULL,
    channel TEXT NOT NULL,
    recipient TEXT NOT NULL,
    payload JSONB NOT NULL,
    lateness_seconds REAL NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    outcome TEXT,
    provider_id TEXT,
    error_code TEXT,
    detail TEXT,
    looks SMALLINT NOT NULL,
    looked_at TIMESTAMP WITH TIME ZONE,
    archived_month DATE NOT NULL,
    CONSTRAINT archived_attempts_pkey PRIMARY KEY (outbox_id, fence, archived_month)
) PARTITION BY RANGE (archived_month);

CREATE TABLE archive_months (
    month DATE NOT NULL,
    detached_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT archive_months_pkey PRIMARY KEY (month)
);
COMMENT ON COLUMN archive_months.month IS 'the first day of the month, UTC';
COMMENT ON COLUMN archive_months.detached_at IS 'real time; null: its partitions are attached';

CREATE TABLE archived_counts (
    month DATE NOT NULL,
    workspace_id BIGINT NOT NULL,
    sequence_id BIGINT NOT NULL,
    type TEXT NOT NULL,
    status TEXT NOT NULL,
    rows BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    CONSTRAINT archived_counts_pkey PRIMARY KEY (month, workspace_id, sequence_id, type, status)
);

CREATE SCHEMA archives;
"""

#: A detached month is out of reach, so going back would lose its rows.
REFUSE = """
DO $$
DECLARE
    months text;
BEGIN
    SELECT string_agg(to_char(month, 'YYYY-MM'), ', ' ORDER BY month) INTO months
    FROM archive_months WHERE detached_at IS NOT NULL;
    IF months IS NOT NULL THEN
        RAISE EXCEPTION 'archives of % are detached, and would be lost: attach them first'
            ' (`cadenza archives attach MONTH`)', months;
    END IF;
END
$$;
"""

COLUMNS = """
    id, workspace_id, enrollment_id, step_order, step_key, type, status, reason, due_at, retry_at, attempts, fence,
    lease_until, provider_id, error_code, sent_at, delivery_status, outcome, accepted_at, accepted_fence,
    accepted_detail, counts_from, rescheduled_at
"""
OF_ATTEMPTS = """
    outbox_id, fence, workspace_id, channel, recipient, payload, lateness_seconds, started_at, ended_at, outcome,
    provider_id, error_code, detail, looks, looked_at
"""

DOWN = f"""
INSERT INTO outbox ({COLUMNS}) OVERRIDING SYSTEM VALUE SELECT {COLUMNS} FROM archived_outbox ORDER BY id;
INSERT INTO attempt_records ({OF_ATTEMPTS}) SELECT {OF_ATTEMPTS} FROM archived_attempts ORDER BY outbox_id, fence;
DROP TABLE archived_attempts, archived_outbox, archived_counts, archive_months;
DROP SCHEMA archives;
ALTER TABLE enrollments DROP COLUMN archived_month;
"""  # noqa: S608 (composed of our own constants)


def upgrade() -> None:
    """Make the tables; they are empty."""
    op.execute(UP)


def downgrade() -> None:
    """Move archived rows back into the outbox, and drop the tables.

    Raises:
        RaiseException: a month is detached.
    """
    op.execute(REFUSE)
    op.execute(DOWN)
