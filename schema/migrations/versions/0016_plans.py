"""Indexes that no plan can misuse: pauses by their workspace, contacts by their id."""

from alembic import op

revision = "0016"
down_revision = "0015"

UP = """
CREATE INDEX holds_workspace_idx ON holds (workspace_id);
ALTER TABLE events DROP CONSTRAINT events_workspace_id_contact_id_fkey;
ALTER TABLE contacts DROP CONSTRAINT contacts_workspace_id_id_key,
    ADD CONSTRAINT contacts_id_workspace_id_key UNIQUE (id, workspace_id);
ALTER TABLE events ADD CONSTRAINT events_workspace_id_contact_id_fkey
    FOREIGN KEY (workspace_id, contact_id) REFERENCES contacts (workspace_id, id);
"""

DOWN = """
ALTER TABLE events DROP CONSTRAINT events_workspace_id_contact_id_fkey;
ALTER TABLE contacts DROP CONSTRAINT contacts_id_workspace_id_key,
    ADD CONSTRAINT contacts_workspace_id_id_key UNIQUE (workspace_id, id);
ALTER TABLE events ADD CONSTRAINT events_workspace_id_contact_id_fkey
    FOREIGN KEY (workspace_id, contact_id) REFERENCES contacts (workspace_id, id);
DROP INDEX holds_workspace_idx;
"""


def upgrade() -> None:
    """Add an index on `holds`, and let the one on contacts begin with their id."""
    op.execute(UP)


def downgrade() -> None:
    """Put the indexes back."""
    op.execute(DOWN)
