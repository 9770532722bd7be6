"""Pages of due rows by the index alone, however many rows fall due at the same moment."""

from alembic import op

revision = "0018"
down_revision = "0016"

UP = """
DROP INDEX outbox_due_idx;
CREATE INDEX outbox_due_idx ON outbox (workspace_id, due_at, id) WHERE status = 'pending';
"""

DOWN = """
DROP INDEX outbox_due_idx;
CREATE INDEX outbox_due_idx ON outbox (workspace_id, due_at) WHERE status = 'pending';
"""


def upgrade() -> None:
    """Add the id to the index, so that it gives the order in which pages are read."""
    op.execute(UP)


def downgrade() -> None:
    """Take it out again."""
    op.execute(DOWN)
