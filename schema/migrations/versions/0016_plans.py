"""Indexes that no plan can misuse; and the end of a plainly accepted attempt is told by its row."""

from alembic import op

revision = "0016"
down_revision = "0015"

#: Postgres before 18 plans the body of an SQL function at each call: 20 microseconds of claim, settle and the rest.
PLANNED_ONCE = """
CREATE OR REPLACE FUNCTION sequence_now() RETURNS timestamptz LANGUAGE plpgsql VOLATILE PARALLEL RESTRICTED AS $$
BEGIN
    RETURN (SELECT sequence_from + (clock_timestamp() - real_from) * rate FROM clock ORDER BY id DESC LIMIT 1);
END
$$;
"""
PLANNED_EACH_TIME = """
CREATE OR REPLACE FUNCTION sequence_now() RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL RESTRICTED AS $$
    SELECT sequence_from + (clock_timestamp() - real_from) * rate FROM clock ORDER BY id DESC LIMIT 1
$$;
"""

UP = """
CREATE INDEX holds_workspace_idx ON holds (workspace_id);
ALTER TABLE events DROP CONSTRAINT events_workspace_id_contact_id_fkey;
ALTER TABLE contacts DROP CONSTRAINT contacts_workspace_id_id_key,
    ADD CONSTRAINT contacts_id_workspace_id_key UNIQUE (id, workspace_id);
ALTER TABLE events ADD CONSTRAINT events_workspace_id_contact_id_fkey
    FOREIGN KEY (workspace_id, contact_id) REFERENCES contacts (workspace_id, id);

ALTER TABLE outbox ADD accepted_at timestamptz, ADD accepted_fence integer, ADD accepted_detail text;
COMMENT ON COLUMN outbox.accepted_at IS 'real time; with accepted_fence: how that attempt ended';
COMMENT ON COLUMN outbox.accepted_fence IS
    'of the attempt that was plainly accepted; null: the attempt tells itself';
COMMENT ON COLUMN outbox.accepted_detail IS 'what the provider said of it, without addresses';
ALTER TABLE attempts RENAME TO attempt_records;
ALTER TABLE attempt_records RENAME CONSTRAINT attempts_pkey TO attempt_records_pkey;
ALTER TABLE attempt_records RENAME CONSTRAINT attempts_outcome_check TO attempt_records_outcome_check;
ALTER TABLE attempt_records RENAME CONSTRAINT attempts_ended_at_check TO attempt_records_ended_at_check;
CREATE VIEW attempts AS
SELECT a.outbox_id, a.fence, a.workspace_id, a.channel, a.recipient, a.payload, a.lateness_seconds, a.started_at,
    coalesce(a.ended_at, told.accepted_at) AS ended_at,
    CASE WHEN told.id IS NULL THEN a.outcome ELSE 'accepted' END AS outcome,
    coalesce(a.provider_id, told.provider_id) AS provider_id, a.error_code,
    coalesce(a.detail, told.accepted_detail) AS detail, a.looks, a.looked_at
FROM attempt_records a LEFT JOIN outbox told
    ON a.outcome IS NULL AND told.id = ANY (ARRAY[a.outbox_id]) AND told.accepted_fence = a.fence;
COMMENT ON VIEW attempts IS 'Every attempt to send a row, and how it ended: told by itself, or by its row.';
"""

DOWN = """
UPDATE attempt_records a SET ended_at = told.accepted_at, outcome = 'accepted', provider_id = told.provider_id,
    detail = told.accepted_detail
FROM outbox told WHERE a.outcome IS NULL AND told.id = a.outbox_id AND told.accepted_fence = a.fence;
DROP VIEW attempts;
ALTER TABLE attempt_records RENAME CONSTRAINT attempt_records_pkey TO attempts_pkey;
ALTER TABLE attempt_records RENAME CONSTRAINT attempt_records_outcome_check TO attempts_outcome_check;
ALTER TABLE attempt_records RENAME CONSTRAINT attempt_records_ended_at_check TO attempts_ended_at_check;
ALTER TABLE attempt_records RENAME TO attempts;
ALTER TABLE outbox DROP accepted_at, DROP accepted_fence, DROP accepted_detail;
ALTER TABLE events DROP CONSTRAINT events_workspace_id_contact_id_fkey;
ALTER TABLE contacts DROP CONSTRAINT contacts_id_workspace_id_key,
    ADD CONSTRAINT contacts_workspace_id_id_key UNIQUE (workspace_id, id);
ALTER TABLE events ADD CONSTRAINT events_workspace_id_contact_id_fkey
    FOREIGN KEY (workspace_id, contact_id) REFERENCES contacts (workspace_id, id);
DROP INDEX holds_workspace_idx;
"""


def upgrade() -> None:
    """Change two indexes, the clock's function, and where the end of an attempt is told."""
    op.execute(UP)
    op.execute(PLANNED_ONCE)


def downgrade() -> None:
    """Write the ends of attempts down, and put the rest back."""
    op.execute(PLANNED_EACH_TIME)
    op.execute(DOWN)
