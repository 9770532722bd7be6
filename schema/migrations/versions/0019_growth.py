"""Lists of enrollments by status, whatever the size of the table."""

from alembic import op

revision = "0019"
down_revision = "0018"

#: Expressions, so that no statement that looks an enrollment up by its id can walk along one of them instead.
UP = """
CREATE INDEX enrollments_workspace_status_idx ON enrollments ((workspace_id + 0), status, (id + 0));
CREATE INDEX enrollments_sequence_status_idx ON enrollments ((sequence_id + 0), status, (id + 0));
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
