"""The libraries of templates (docs/decisions/0037)."""

from alembic import op

revision = "0030"
down_revision = "0029"

UP = """
CREATE TABLE templates (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    workspace_id BIGINT NOT NULL,
    key TEXT NOT NULL,
    type TEXT NOT NULL,
    created_by TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT templates_pkey PRIMARY KEY (id),
    CONSTRAINT templates_workspace_id_key_key UNIQUE (workspace_id, key),
    CONSTRAINT templates_workspace_id_id_key UNIQUE (workspace_id, id),
    CONSTRAINT templates_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (id)
);
COMMENT ON COLUMN templates.type IS 'of the steps that it is for; it never changes';
COMMENT ON COLUMN templates.created_by IS 'who applied its first version; null: it is not known';

CREATE TABLE template_versions (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    workspace_id BIGINT NOT NULL,
    template_id BIGINT NOT NULL,
    number INTEGER NOT NULL,
    content JSONB NOT NULL,
    created_by TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT template_versions_pkey PRIMARY KEY (id),
    CONSTRAINT template_versions_template_id_number_key UNIQUE (template_id, number),
    CONSTRAINT template_versions_number_check CHECK (number > 0),
    CONSTRAINT template_versions_workspace_id_template_id_fkey FOREIGN KEY (workspace_id, template_id)
        REFERENCES templates (workspace_id, id) ON DELETE CASCADE
);
COMMENT ON COLUMN template_versions.content IS 'fields of a step; a trigger refuses every change';
COMMENT ON COLUMN template_versions.created_by IS 'who applied it; null: it is not known';
CREATE TRIGGER template_versions_immutable BEFORE UPDATE ON template_versions
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

#: Versions of sequences hold copies of what they took, so that only the library itself is lost.
DOWN = "DROP TABLE template_versions; DROP TABLE templates"


def upgrade() -> None:
    """Make the tables."""
    op.execute(UP)


def downgrade() -> None:
    """Drop the tables."""
    op.execute(DOWN)
