"""The moment from which the steps behind a step count, written down when the step ends."""

from alembic import op

revision = "0020"
down_revision = "0019"

#: Only running enrollments need it. A step that was skipped by a change of version, by a branch or by hand before its
#: time never began.
UP = """
ALTER TABLE outbox ADD COLUMN counts_from timestamptz, ADD COLUMN rescheduled_at timestamptz;
COMMENT ON COLUMN outbox.counts_from IS
    'sequence time from which the steps behind count, moved by pauses; null: sent_at, or it never began';
COMMENT ON COLUMN outbox.rescheduled_at IS 'sequence time at which an operator last gave it a due time';
ALTER TABLE enrollments ADD COLUMN counts_from timestamptz;
COMMENT ON COLUMN enrollments.counts_from IS
    'sequence time from which the first step counts, moved by pauses; null: enrolled_at';
UPDATE outbox o SET counts_from = coalesce(
    (SELECT t.ended_at FROM tasks t WHERE t.outbox_id = o.id), least(o.due_at, sequence_now())
)
FROM enrollments e
WHERE e.id = o.enrollment_id AND e.status IN ('active', 'paused')
    AND (o.status IN ('done', 'failed', 'review') OR (
        o.status = 'skipped' AND o.due_at IS NOT NULL AND o.reason NOT LIKE 'version %' AND o.reason <> 'deleted'
    ));
"""

DOWN = """
ALTER TABLE outbox DROP COLUMN counts_from, DROP COLUMN rescheduled_at;
ALTER TABLE enrollments DROP COLUMN counts_from;
"""


def upgrade() -> None:
    """Add the columns, and fill them for enrollments that run."""
    op.execute(UP)


def downgrade() -> None:
    """Take them out again."""
    op.execute(DOWN)
