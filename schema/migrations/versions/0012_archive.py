"""What an archived sequence was before, and since when it is archived."""

from alembic import op

revision = "0012"
down_revision = "0011"

UP = """
ALTER TABLE sequences ADD COLUMN status_before TEXT, ADD COLUMN archived_at TIMESTAMP WITH TIME ZONE;
UPDATE sequences SET status_before = 'active', archived_at = sequence_now() WHERE status = 'archived';
ALTER TABLE sequences
    ADD CONSTRAINT sequences_status_before_check CHECK (status_before IN ('draft', 'active', 'paused', 'archived')),
    ADD CONSTRAINT sequences_archived_check CHECK ((status = 'archived') = (status_before IS NOT NULL)),
    ADD CONSTRAINT sequences_archived_at_check CHECK ((status_before IS NULL) = (archived_at IS NULL));
COMMENT ON COLUMN sequences.status_before IS 'of an archived one: what it was, and is again when it is brought back';
COMMENT ON COLUMN sequences.archived_at IS 'sequence time';
"""

DOWN = """
ALTER TABLE sequences DROP COLUMN status_before, DROP COLUMN archived_at;
"""


def upgrade() -> None:
    """Add them."""
    op.execute(UP)


def downgrade() -> None:
    """Take them away."""
    op.execute(DOWN)
