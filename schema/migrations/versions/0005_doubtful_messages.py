"""Messages that may be opt-outs are found among all events."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the index."""
    op.execute("CREATE INDEX events_doubtful_idx ON events (id) WHERE status = 'doubtful'")


def downgrade() -> None:
    """Take it away."""
    op.execute("DROP INDEX events_doubtful_idx")
