"""Enrollments are held against what they name by the statement that writes them, for many at once."""

from alembic import op

revision = "0004"
down_revision = "0003"

UP = """
ALTER TABLE enrollments
    DROP CONSTRAINT enrollments_workspace_id_contact_id_fkey,
    DROP CONSTRAINT enrollments_workspace_id_version_id_fkey,
    DROP CONSTRAINT enrollments_batch_id_fkey;
"""

DOWN = """
ALTER TABLE enrollments
    ADD CONSTRAINT enrollments_workspace_id_contact_id_fkey
        FOREIGN KEY (workspace_id, contact_id) REFERENCES contacts (workspace_id, id),
    ADD CONSTRAINT enrollments_workspace_id_version_id_fkey
        FOREIGN KEY (workspace_id, version_id) REFERENCES sequence_versions (workspace_id, id),
    ADD CONSTRAINT enrollments_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES batches (id);
"""


def upgrade() -> None:
    """Take the foreign keys away."""
    op.execute(UP)


def downgrade() -> None:
    """Put them back."""
    op.execute(DOWN)
