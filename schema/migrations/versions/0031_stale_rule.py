"""Versions whose sequences end stale enrollments by a rule are found by an index."""

from alembic import op

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    """Add the index."""
    op.execute(
        "CREATE INDEX sequence_versions_stale_idx ON sequence_versions (workspace_id, id)"
        " WHERE definition ? 'stale_after'"
    )


def downgrade() -> None:
    """Take it away."""
    op.execute("DROP INDEX sequence_versions_stale_idx")
