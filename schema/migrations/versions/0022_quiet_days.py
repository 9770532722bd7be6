"""Quiet hours of a workspace that differ by day, and those that the law asks for."""

from alembic import op

revision = "0022"
down_revision = "0021"

UP = """
ALTER TABLE workspaces DROP CONSTRAINT workspaces_quiet_hours_check;
ALTER TABLE workspaces ADD CONSTRAINT workspaces_quiet_hours_check CHECK (quiet_hours ~ (
    '^(off|([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9])'
    || '(, (mon|tue|wed|thu|fri|sat|sun) (off|([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)))*'
    || '(, strict)?$'
));
COMMENT ON COLUMN workspaces.quiet_hours IS
    'of SMS, local time wherever the contact may be: hours, days that differ, strict: those of the law too; or off';
"""

#: What the older version can't read becomes its default, which is on: nobody is written to at night by a step back.
DOWN = """
ALTER TABLE workspaces DROP CONSTRAINT workspaces_quiet_hours_check;
UPDATE workspaces SET quiet_hours = '20:00-09:00' WHERE quiet_hours ~ ',';
ALTER TABLE workspaces ADD CONSTRAINT workspaces_quiet_hours_check
    CHECK (quiet_hours ~ '^(off|([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9])$');
COMMENT ON COLUMN workspaces.quiet_hours IS 'of SMS, local time wherever the contact may be; or off';
"""


def upgrade() -> None:
    """Let them be written."""
    op.execute(UP)


def downgrade() -> None:
    """Take them away."""
    op.execute(DOWN)
