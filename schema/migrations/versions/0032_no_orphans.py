"""What enrollments and steps belong to can't be deleted beneath them, though they have no foreign keys (decision 3)."""

from alembic import op

revision = "0032"
down_revision = "0031"

FUNCTIONS = """
CREATE FUNCTION refuse_orphaned_enrollments() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE child record;
BEGIN
    SELECT e.id, e.contact_id INTO child FROM gone JOIN enrollments e ON e.contact_id = gone.id LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'contact % has enrollments (such as %) and can''t be deleted', child.contact_id, child.id
            USING ERRCODE = 'foreign_key_violation',
                HINT = format('cadenza contact delete %s --erase removes what is personal and keeps what was sent',
                    child.contact_id);
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION refuse_versionless_enrollments() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE child record;
BEGIN
    SELECT e.id, e.version_id INTO child
    FROM gone JOIN enrollments e ON e.sequence_id = gone.sequence_id AND e.version_id = gone.id LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'sequence version % has enrollments (such as %) and can''t be deleted',
            child.version_id, child.id
            USING ERRCODE = 'foreign_key_violation', HINT = 'cadenza archive ends and hides the sequence';
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION refuse_orphaned_steps() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE child record;
BEGIN
    SELECT o.id, o.enrollment_id INTO child FROM gone JOIN outbox o ON o.enrollment_id = gone.id LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'enrollment % has steps (such as row %) and can''t be deleted', child.enrollment_id, child.id
            USING ERRCODE = 'foreign_key_violation', HINT = format('cadenza cancel %s ends it', child.enrollment_id);
    END IF;
    RETURN NULL;
END
$$;
"""

TRIGGERS = """
CREATE TRIGGER contacts_in_use AFTER DELETE ON contacts REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_orphaned_enrollments();
CREATE TRIGGER sequence_versions_in_use AFTER DELETE ON sequence_versions REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_versionless_enrollments();
CREATE TRIGGER enrollments_in_use AFTER DELETE ON enrollments REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_orphaned_steps();
"""

DOWN = """
DROP TRIGGER enrollments_in_use ON enrollments;
DROP TRIGGER sequence_versions_in_use ON sequence_versions;
DROP TRIGGER contacts_in_use ON contacts;
DROP FUNCTION refuse_orphaned_enrollments(), refuse_versionless_enrollments(), refuse_orphaned_steps();
"""


def upgrade() -> None:
    """Add the triggers."""
    op.execute(FUNCTIONS)
    op.execute(TRIGGERS)


def downgrade() -> None:
    """Take them away."""
    op.execute(DOWN)
