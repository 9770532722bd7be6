"""Whom a change of their attributes or tags may concern: gates that wait, and versions with a goal."""

from alembic import op

revision = "0014"
down_revision = "0013"

UP = """
CREATE INDEX outbox_undecided_idx ON outbox (enrollment_id) WHERE status = 'pending' AND outcome = 'undecided';
CREATE INDEX sequence_versions_goal_idx ON sequence_versions (workspace_id, id) WHERE definition ? 'goal';
"""

DOWN = """
DROP INDEX sequence_versions_goal_idx;
DROP INDEX outbox_undecided_idx;
"""


def upgrade() -> None:
    """Make the indexes by which they are found."""
    op.execute(UP)


def downgrade() -> None:
    """Take them away."""
    op.execute(DOWN)
