"""Templates of messages and tasks, and their immutable numbered versions. Versions of sequences hold copies of them."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB

from schema.tables.base import identity, metadata, real_moment_of_writing

templates = Table(
    "templates",
    metadata,
    identity(),
    Column("workspace_id", BigInteger, ForeignKey("workspaces.id"), nullable=False),
    Column("key", Text, nullable=False),
    Column("type", Text, nullable=False, comment="of the steps that it is for; it never changes"),
    Column("created_by", Text, comment="who applied its first version; null: it is not known"),
    real_moment_of_writing("created_at"),
    UniqueConstraint("workspace_id", "key"),
    UniqueConstraint("workspace_id", "id"),
)

template_versions = Table(
    "template_versions",
    metadata,
    identity(),
    Column("workspace_id", BigInteger, nullable=False),
    Column("template_id", BigInteger, nullable=False),
    Column("number", Integer, nullable=False),
    Column("content", JSONB, nullable=False, comment="fields of a step; a trigger refuses every change"),
    Column("created_by", Text, comment="who applied it; null: it is not known"),
    real_moment_of_writing("created_at"),
    ForeignKeyConstraint(
        ["workspace_id", "template_id"], ["templates.workspace_id", "templates.id"], ondelete="CASCADE"
    ),
    UniqueConstraint("template_id", "number"),
    CheckConstraint("number > 0", name="number"),
)
