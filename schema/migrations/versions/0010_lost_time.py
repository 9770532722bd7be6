"""How much sequence time was lost when the database was restored from a backup."""

from alembic import op

revision = "0010"
down_revision = "0009"

UP = """
ALTER TABLE dispatch ADD COLUMN lost_seconds DOUBLE PRECISION DEFAULT '0' NOT NULL;
COMMENT ON COLUMN dispatch.lost_seconds IS 'sequence time from a backup to its restore, the longest of all';
"""

DOWN = """
ALTER TABLE dispatch DROP COLUMN lost_seconds;
"""


def upgrade() -> None:
    """Add it."""
    op.execute(UP)


def downgrade() -> None:
    """Take it away."""
    op.execute(DOWN)
