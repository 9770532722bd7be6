"""What an operator pauses, the enrollments of a sequence that run, and the history of what was done to them."""

from alembic import op

revision = "0008"
down_revision = "0006"

UP = r"""
CREATE TABLE holds (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    workspace_id BIGINT NOT NULL,
    sequence_id BIGINT,
    since TIMESTAMP WITH TIME ZONE NOT NULL,
    made_by TEXT NOT NULL,
    reason TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    keep_times BOOLEAN,
    released_sequence BIGINT DEFAULT '0' NOT NULL,
    released_to BIGINT DEFAULT '0' NOT NULL,
    CONSTRAINT holds_pkey PRIMARY KEY (id),
    CONSTRAINT holds_workspace_id_fkey FOREIGN KEY(workspace_id) REFERENCES workspaces (id)
);
CREATE UNIQUE INDEX holds_scope_key ON holds (workspace_id, sequence_id) NULLS NOT DISTINCT WHERE keep_times IS NULL;
COMMENT ON COLUMN holds.sequence_id IS 'null: the whole workspace';
COMMENT ON COLUMN holds.since IS 'sequence time';
COMMENT ON COLUMN holds.keep_times IS 'how it is being resumed; null: it is in force';
COMMENT ON COLUMN holds.released_sequence IS 'resumed as far as here';
COMMENT ON COLUMN holds.released_to IS 'the enrollment within it';

CREATE INDEX enrollments_running_idx ON enrollments (sequence_id, id) WHERE status IN ('active', 'paused');

CREATE INDEX contacts_company_idx ON contacts (workspace_id, lower(btrim(attributes ->> 'company')))
    WHERE attributes ->> 'company' IS NOT NULL;

CREATE TABLE history (
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    sequence_at TIMESTAMP WITH TIME ZONE NOT NULL,
    workspace_id BIGINT NOT NULL,
    sequence_id BIGINT,
    enrollment_id BIGINT,
    outbox_id BIGINT,
    made_by TEXT NOT NULL,
    was TEXT,
    became TEXT NOT NULL,
    reason TEXT
) PARTITION BY RANGE (at);
CREATE INDEX history_enrollment_idx ON history (enrollment_id, at);
COMMENT ON COLUMN history.sequence_at IS 'sequence time';
COMMENT ON COLUMN history.sequence_id IS 'what was done to a whole sequence';
COMMENT ON COLUMN history.outbox_id IS 'null: the enrollment itself';
COMMENT ON COLUMN history.made_by IS 'who: a person, or a part of the engine';
"""

#: Partitions are in a schema of their own. What comes when none was made ahead goes to `other`.
PARTITIONS = r"""
CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'history is only appended to; whole months may be dropped';
END
$$;
CREATE TRIGGER history_append_only BEFORE UPDATE OR DELETE ON history
    FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER history_not_emptied BEFORE TRUNCATE ON history EXECUTE FUNCTION refuse_rewriting();

CREATE SCHEMA history_months;
CREATE TABLE history_months.other PARTITION OF history DEFAULT;
CREATE TRIGGER not_emptied BEFORE TRUNCATE ON history_months.other EXECUTE FUNCTION refuse_rewriting();

CREATE FUNCTION make_history_months(ahead integer DEFAULT 3) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    first timestamptz := date_trunc('month', clock_timestamp());
    month timestamptz;
    part text;
    made integer := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('cadenza: months of the history', 0)) THEN
        RETURN 0;  -- somebody else makes them
    END IF;
    FOR number IN 0..ahead LOOP
        month := first + number * interval '1 month';
        part := to_char(month, '"m"YYYY_MM');
        CONTINUE WHEN to_regclass('history_months.' || part) IS NOT NULL;
        CONTINUE WHEN EXISTS (
            SELECT FROM history_months.other AS o WHERE o.at >= month AND o.at < month + interval '1 month'
        );
        EXECUTE format('CREATE TABLE history_months.%I (LIKE public.history INCLUDING ALL)', part);
        EXECUTE format('CREATE TRIGGER not_emptied BEFORE TRUNCATE ON history_months.%I'
            ' EXECUTE FUNCTION public.refuse_rewriting()', part);
        EXECUTE format('ALTER TABLE public.history ATTACH PARTITION history_months.%I FOR VALUES FROM (%L) TO (%L)',
            part, month, month + interval '1 month');
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;
SELECT make_history_months();
"""


def upgrade() -> None:
    """Make them."""
    for statements in (UP, PARTITIONS):
        op.execute(statements)


def downgrade() -> None:
    """Take them away."""
    op.execute("DROP TABLE history")
    op.execute("DROP FUNCTION make_history_months(integer), refuse_rewriting()")
    op.execute("DROP SCHEMA history_months")
    op.execute("DROP INDEX contacts_company_idx")
    op.execute("DROP INDEX enrollments_running_idx")
    op.execute("DROP TABLE holds")
