"""Sequences and their immutable numbered versions."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from schema.states import SequenceStatus
from schema.tables.base import identity, metadata, moment, one_of, real_moment_of_writing

sequences = Table(
    "sequences",
    metadata,
    identity(),
    Column("workspace_id", BigInteger, ForeignKey("workspaces.id"), nullable=False),
    Column("key", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("tags", ARRAY(Text), nullable=False, server_default="{}"),
    Column("status", Text, nullable=False, server_default=SequenceStatus.ACTIVE.value),
    real_moment_of_writing("created_at"),
    Column("status_before", Text, comment="of an archived one: what it was, and is again when it is brought back"),
    moment("archived_at", comment="sequence time"),
    Column("created_by", Text, comment="who applied its first version; null: it is not known"),
    moment("closed_at", comment="sequence time; null: it takes new people"),
    Column("closed_by", Text),
    UniqueConstraint("workspace_id", "key"),
    UniqueConstraint("workspace_id", "id"),
    one_of("status", SequenceStatus),
    one_of("status_before", SequenceStatus),
    CheckConstraint("(status = 'archived') = (status_before IS NOT NULL)", name="archived"),
    CheckConstraint("(status_before IS NULL) = (archived_at IS NULL)", name="archived_at"),
    CheckConstraint("(closed_at IS NULL) = (closed_by IS NULL)", name="closed"),
)

sequence_versions = Table(
    "sequence_versions",
    metadata,
    identity(),
    Column("workspace_id", BigInteger, nullable=False),
    Column("sequence_id", BigInteger, nullable=False),
    Column("number", Integer, nullable=False),
    Column("definition", JSONB, nullable=False, comment="normalised; a trigger refuses every change"),
    Column("digest", Text, nullable=False, comment="SHA-256 of the canonical definition"),
    real_moment_of_writing("created_at"),
    Column("created_by", Text, comment="who applied it; null: it is not known"),
    ForeignKeyConstraint(["workspace_id", "sequence_id"], ["sequences.workspace_id", "sequences.id"]),
    UniqueConstraint("sequence_id", "number"),
    UniqueConstraint("workspace_id", "id"),
    CheckConstraint("number > 0", name="number"),
)

Index(
    "sequence_versions_goal_idx",
    sequence_versions.c.workspace_id,
    sequence_versions.c.id,
    postgresql_where=text("definition ? 'goal'"),
)
Index(
    "sequence_versions_stale_idx",
    sequence_versions.c.workspace_id,
    sequence_versions.c.id,
    postgresql_where=text("definition ? 'stale_after'"),
)
