"""What providers and recipients tell us, and the secret that signs the URLs they call."""

from alembic import op

revision = "0002"
down_revision = "0001"

UP = r"""
CREATE TABLE events (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    workspace_id BIGINT NOT NULL,
    provider TEXT NOT NULL,
    kind TEXT NOT NULL,
    provider_id TEXT NOT NULL,
    status TEXT NOT NULL,
    outbox_id BIGINT,
    fence INTEGER,
    contact_id BIGINT,
    error_code TEXT,
    payload JSONB NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT events_pkey PRIMARY KEY (id),
    CONSTRAINT events_workspace_id_provider_provider_id_status_key UNIQUE (workspace_id, provider, provider_id, status),
    CONSTRAINT events_workspace_id_contact_id_fkey FOREIGN KEY(workspace_id, contact_id) REFERENCES contacts (workspace_id, id),
    CONSTRAINT events_kind_check CHECK (kind IN ('status', 'inbound')),
    CONSTRAINT events_workspace_id_fkey FOREIGN KEY(workspace_id) REFERENCES workspaces (id)
);
CREATE INDEX events_contact_idx ON events (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX events_outbox_idx ON events (outbox_id) WHERE outbox_id IS NOT NULL;
COMMENT ON COLUMN events.provider_id IS 'the provider''s name of the message: a Twilio SID';
COMMENT ON COLUMN events.status IS 'of the delivery; of an inbound message what it says: stop, start, help, doubtful, reply';
COMMENT ON COLUMN events.outbox_id IS 'the row that it is about, as far as known';
COMMENT ON COLUMN events.fence IS 'with outbox_id: the attempt that the callback''s token names';
COMMENT ON COLUMN events.contact_id IS 'who wrote; null: nobody that the workspace knows';
COMMENT ON COLUMN events.error_code IS 'the provider''s';
COMMENT ON COLUMN events.payload IS 'what was sent to us; bodies of inbound messages alone are kept';

CREATE INDEX outbox_provider_idx ON outbox (provider_id) WHERE provider_id IS NOT NULL;

ALTER TABLE workspaces ADD COLUMN webhook_secret TEXT
    DEFAULT replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '') NOT NULL;
COMMENT ON COLUMN workspaces.webhook_secret IS 'signs the tokens in its callback URLs (engine/rules/token.py)';
"""


def upgrade() -> None:
    """Make them."""
    op.execute(UP)


def downgrade() -> None:
    """Take them away."""
    op.execute("ALTER TABLE workspaces DROP COLUMN webhook_secret")
    op.execute("DROP INDEX outbox_provider_idx")
    op.execute("DROP TABLE events")
