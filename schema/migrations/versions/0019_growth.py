"""Lists of enrollments by status, whatever the size of the table."""

from alembic import op

revision = "0019"
down_revision = "0018"

UP = """
CREATE INDEX enrollments_workspace_status_idx ON enrollments (workspace_id, status, id);
CREATE INDEX enrollments_sequence_status_idx ON enrollments (sequence_id, status, id);
"""

DOWN = """
DROP INDEX enrollments_sequence_status_idx;
DROP INDEX enrollments_workspace_status_idx;
"""


def upgrade() -> None:
    """Make the indexes of lists."""
    op.execute(UP)


def downgrade() -> None:
    """Take them away."""
    op.execute(DOWN)
