"""Enrollments that go on in another version of their sequence, and those whose steps somebody has changed."""

from alembic import op

revision = "0013"
down_revision = "0012"

UP = """
ALTER TABLE enrollments ADD COLUMN migrated_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN modified_at TIMESTAMP WITH TIME ZONE, ADD COLUMN own_delays JSONB;
COMMENT ON COLUMN enrollments.migrated_at IS 'real time at which it last went on in another version';
COMMENT ON COLUMN enrollments.modified_at IS 'real time at which somebody last changed its own steps';
COMMENT ON COLUMN enrollments.own_delays IS 'by step key: what it waits in this enrollment alone; null: nothing';
COMMENT ON COLUMN outbox.step_order IS 'from 1, in the order of the sequence version; below: of an older one';
"""

DOWN = """
ALTER TABLE enrollments DROP COLUMN own_delays, DROP COLUMN modified_at, DROP COLUMN migrated_at;
COMMENT ON COLUMN outbox.step_order IS 'from 1, in the order of the sequence version';
"""


def upgrade() -> None:
    """Add the columns."""
    op.execute(UP)


def downgrade() -> None:
    """Take them away."""
    op.execute(DOWN)
