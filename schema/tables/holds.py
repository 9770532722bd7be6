"""Sequences and workspaces that an operator has paused: nothing of theirs goes out."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Table, Text

from schema.tables.base import identity, metadata, moment, real_moment_of_writing

holds = Table(
    "holds",
    metadata,
    identity(),
    Column("workspace_id", BigInteger, ForeignKey("workspaces.id"), nullable=False),
    Column("sequence_id", BigInteger, comment="null: the whole workspace"),
    moment("since", nullable=False, comment="sequence time"),
    Column("made_by", Text, nullable=False),
    Column("reason", Text),
    real_moment_of_writing("created_at"),
    Column("keep_times", Boolean, comment="how it is being resumed; null: it is in force"),
    Column("released_sequence", BigInteger, nullable=False, server_default="0", comment="resumed as far as here"),
    Column("released_to", BigInteger, nullable=False, server_default="0", comment="the enrollment within it"),
)

Index("holds_workspace_idx", holds.c.workspace_id)
Index(
    "holds_scope_key",
    holds.c.workspace_id,
    holds.c.sequence_id,
    unique=True,
    postgresql_nulls_not_distinct=True,
    postgresql_where=holds.c.keep_times.is_(None),
)
