"""Who made a sequence and its versions, and since when a sequence is closed to new people."""

from alembic import op

revision = "0029"
down_revision = "0024"

UP = """
ALTER TABLE sequences ADD COLUMN created_by TEXT, ADD COLUMN closed_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN closed_by TEXT,
    ADD CONSTRAINT sequences_closed_check CHECK ((closed_at IS NULL) = (closed_by IS NULL));
COMMENT ON COLUMN sequences.created_by IS 'who applied its first version; null: it is not known';
COMMENT ON COLUMN sequences.closed_at IS 'sequence time; null: it takes new people';
ALTER TABLE sequence_versions ADD COLUMN created_by TEXT;
COMMENT ON COLUMN sequence_versions.created_by IS 'who applied it; null: it is not known';
"""

#: The older version takes new people into a sequence that was closed; a draft takes nobody there either.
DOWN = """
ALTER TABLE sequence_versions DROP COLUMN created_by;
ALTER TABLE sequences DROP COLUMN created_by, DROP COLUMN closed_at, DROP COLUMN closed_by;
"""


def upgrade() -> None:
    """Add the columns."""
    op.execute(UP)


def downgrade() -> None:
    """Drop the columns."""
    op.execute(DOWN)
