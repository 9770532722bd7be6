"""Reply-To, Cc and headers of a workspace's email."""

from alembic import op

revision = "0023"
down_revision = "0022"

UP = """
ALTER TABLE workspaces ADD COLUMN reply_to text, ADD COLUMN cc text[] DEFAULT '{}' NOT NULL,
    ADD COLUMN headers jsonb DEFAULT '{}'::jsonb NOT NULL;
COMMENT ON COLUMN workspaces.reply_to IS 'of its email, a template; null: answers go to the sender';
COMMENT ON COLUMN workspaces.cc IS 'of its email, templates';
COMMENT ON COLUMN workspaces.headers IS 'of its email';
"""

DOWN = "ALTER TABLE workspaces DROP COLUMN reply_to, DROP COLUMN cc, DROP COLUMN headers"


def upgrade() -> None:
    """Add the columns."""
    op.execute(UP)


def downgrade() -> None:
    """Take them out again."""
    op.execute(DOWN)
