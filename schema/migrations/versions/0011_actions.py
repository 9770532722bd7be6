"""What a workspace signs its webhooks with; and who took which variant, by an index."""

from alembic import op

revision = "0011"
down_revision = "0010"

UP = """
ALTER TABLE workspaces ADD COLUMN signing_secret TEXT
    DEFAULT 'whsec_' || encode(decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'), 'base64')
    NOT NULL;
COMMENT ON COLUMN workspaces.signing_secret IS 'signs its webhooks (engine/rules/webhooks.py)';
ALTER TABLE workspaces ADD COLUMN former_secret TEXT;
COMMENT ON COLUMN workspaces.former_secret IS 'the one before: it signs too, for a while';
ALTER TABLE workspaces ADD COLUMN former_secret_until TIMESTAMP WITH TIME ZONE;
COMMENT ON COLUMN workspaces.former_secret_until IS 'real time';

CREATE INDEX outbox_variants_idx ON outbox (workspace_id, step_key, enrollment_id) WHERE type = 'variants';
"""

DOWN = """
DROP INDEX outbox_variants_idx;
ALTER TABLE workspaces DROP COLUMN signing_secret, DROP COLUMN former_secret, DROP COLUMN former_secret_until;
"""


def upgrade() -> None:
    """Add them."""
    op.execute(UP)


def downgrade() -> None:
    """Take them away."""
    op.execute(DOWN)
