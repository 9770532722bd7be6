"""What a workspace says of its time: the quiet hours of its SMS, and its own holidays."""

from alembic import op

revision = "0006"
down_revision = "0005"

UP = """
ALTER TABLE workspaces ADD COLUMN quiet_hours TEXT DEFAULT '20:00-09:00' NOT NULL;
ALTER TABLE workspaces ADD COLUMN holidays DATE[] DEFAULT '{}' NOT NULL;
ALTER TABLE workspaces ADD CONSTRAINT workspaces_quiet_hours_check
    CHECK (quiet_hours ~ '^(off|([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9])$');
COMMENT ON COLUMN workspaces.quiet_hours IS 'of SMS, local time wherever the contact may be; or off';
COMMENT ON COLUMN workspaces.holidays IS 'its own, beside those of the countries that a window names';
"""

DOWN = """
ALTER TABLE workspaces DROP COLUMN quiet_hours, DROP COLUMN holidays;
"""


def upgrade() -> None:
    """Add them."""
    op.execute(UP)


def downgrade() -> None:
    """Take them away."""
    op.execute(DOWN)
