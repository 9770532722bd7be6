"""Channels that pause while their provider refuses whatever is sent."""

from alembic import op

revision = "0003"
down_revision = "0002"

UP = r"""
CREATE TABLE pauses (
    workspace_id BIGINT NOT NULL,
    channel TEXT NOT NULL,
    outbox_id BIGINT NOT NULL,
    error_code TEXT,
    detail TEXT,
    since TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    until TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pauses_pkey PRIMARY KEY (workspace_id, channel),
    CONSTRAINT pauses_channel_check CHECK (channel IN ('sms', 'email')),
    CONSTRAINT pauses_workspace_id_fkey FOREIGN KEY(workspace_id) REFERENCES workspaces (id)
);
COMMENT ON COLUMN pauses.outbox_id IS 'the row that tries meanwhile, for all';
COMMENT ON COLUMN pauses.error_code IS 'the provider''s';
COMMENT ON COLUMN pauses.detail IS 'what the provider said, without addresses';
COMMENT ON COLUMN pauses.until IS 'real time: it is over then at the latest, unless that row was refused again';
"""


def upgrade() -> None:
    """Make it."""
    op.execute(UP)


def downgrade() -> None:
    """Take it away."""
    op.execute("DROP TABLE pauses")
