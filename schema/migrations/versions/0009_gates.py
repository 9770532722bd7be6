"""Human tasks, what gates come to, and what is heard of contacts."""

from alembic import op

revision = "0009"
down_revision = "0008"

TYPES = "'sms', 'email', 'call', 'social_message', 'internal_activity', "

UP = rf"""
ALTER TABLE outbox ADD COLUMN outcome TEXT;
COMMENT ON COLUMN outbox.outcome IS 'what a gate came to: a branch, what a person says; undecided: it still waits';
ALTER TABLE outbox DROP CONSTRAINT outbox_type_check,
    ADD CONSTRAINT outbox_type_check CHECK (type IN ({TYPES}'manual_sms', 'manual_email', 'condition', 'wait', 'action', 'variants'));
CREATE INDEX outbox_tasks_idx ON outbox (workspace_id, status, due_at)
    WHERE type IN ('call', 'social_message', 'internal_activity', 'manual_sms', 'manual_email');

CREATE TABLE tasks (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    workspace_id BIGINT NOT NULL,
    enrollment_id BIGINT NOT NULL,
    outbox_id BIGINT,
    type TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    priority TEXT DEFAULT 'medium' NOT NULL,
    assignee TEXT,
    due_at TIMESTAMP WITH TIME ZONE,
    closed TEXT,
    ended_at TIMESTAMP WITH TIME ZONE,
    ended_by TEXT,
    note TEXT,
    reopened_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT tasks_pkey PRIMARY KEY (id),
    CONSTRAINT tasks_type_check CHECK (type IN ('call', 'social_message', 'internal_activity', 'manual_sms', 'manual_email')),
    CONSTRAINT tasks_priority_check CHECK (priority IN ('low', 'medium', 'high')),
    CONSTRAINT tasks_closed_check CHECK (closed IN ('completed', 'cancelled', 'skipped')),
    CONSTRAINT tasks_one_truth_check CHECK (outbox_id IS NULL OR closed IS NULL),
    CONSTRAINT tasks_due_at_check CHECK ((outbox_id IS NULL) = (due_at IS NOT NULL)),
    CONSTRAINT tasks_workspace_id_fkey FOREIGN KEY(workspace_id) REFERENCES workspaces (id),
    CONSTRAINT tasks_enrollment_id_fkey FOREIGN KEY(enrollment_id) REFERENCES enrollments (id)
);
CREATE UNIQUE INDEX tasks_outbox_key ON tasks (outbox_id) WHERE outbox_id IS NOT NULL;
CREATE INDEX tasks_enrollment_idx ON tasks (enrollment_id);
CREATE INDEX tasks_by_hand_idx ON tasks (workspace_id, due_at) WHERE outbox_id IS NULL AND closed IS NULL;
COMMENT ON COLUMN tasks.outbox_id IS 'its step; null: added by hand, and holds nothing up';
COMMENT ON COLUMN tasks.description IS 'what is to be done, rendered when it became active';
COMMENT ON COLUMN tasks.assignee IS 'who does it; null: nobody yet';
COMMENT ON COLUMN tasks.due_at IS 'sequence time; of one that was added by hand';
COMMENT ON COLUMN tasks.closed IS 'how one that was added by hand ended';
COMMENT ON COLUMN tasks.ended_at IS 'sequence time';
COMMENT ON COLUMN tasks.ended_by IS 'who said so, as they call themselves';
COMMENT ON COLUMN tasks.note IS 'what they said of it';
COMMENT ON COLUMN tasks.reopened_at IS 'real time at which somebody last said that it was not done after all';

ALTER TABLE events ADD COLUMN occurred_at TIMESTAMP WITH TIME ZONE,
    DROP CONSTRAINT events_kind_check,
    ADD CONSTRAINT events_kind_check CHECK (kind IN ('status', 'inbound', 'signal'));
COMMENT ON COLUMN events.occurred_at IS 'sequence time';
COMMENT ON COLUMN events.status IS 'of the delivery; of an inbound message what it says: stop, start, help, doubtful, reply; of a signal its kind: opened, clicked...';

ALTER TABLE enrollments ADD COLUMN caused_by BIGINT;
COMMENT ON COLUMN enrollments.caused_by IS 'the enrollment whose action made it';
ALTER TABLE contacts ADD COLUMN tags TEXT[] DEFAULT '{{}}' NOT NULL;
"""

DOWN = r"""
ALTER TABLE contacts DROP COLUMN tags;
ALTER TABLE enrollments DROP COLUMN caused_by;
DELETE FROM events WHERE kind = 'signal';
ALTER TABLE events DROP COLUMN occurred_at, DROP CONSTRAINT events_kind_check,
    ADD CONSTRAINT events_kind_check CHECK (kind IN ('status', 'inbound'));
COMMENT ON COLUMN events.status IS 'of the delivery; of an inbound message what it says: stop, start, help, doubtful, reply';
DROP TABLE tasks;
DROP INDEX outbox_tasks_idx;
ALTER TABLE outbox DROP COLUMN outcome, DROP CONSTRAINT outbox_type_check,
    ADD CONSTRAINT outbox_type_check CHECK (type IN ('sms', 'email', 'call', 'social_message', 'internal_activity', 'condition', 'wait', 'action'));
"""


def upgrade() -> None:
    """Make them."""
    op.execute(UP)


def downgrade() -> None:
    """Take them away."""
    op.execute(DOWN)
