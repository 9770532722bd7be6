"""Bulk enrollment runs: how far each has come, and what it rejected."""

from sqlalchemy import BigInteger, Column, ForeignKey, ForeignKeyConstraint, Table, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY

from schema.tables.base import identity, metadata, moment, real_moment_of_writing

batches = Table(
    "batches",
    metadata,
    identity(),
    Column("workspace_id", BigInteger, nullable=False),
    Column("sequence_id", BigInteger, nullable=False),
    Column("name", Text, comment="--batch; null: a run that cannot be resumed"),
    Column("digest", Text, nullable=False, comment="SHA-256 of the file"),
    Column("records", BigInteger, nullable=False, server_default="0", comment="how many are committed"),
    Column("enrolled", BigInteger, nullable=False, server_default="0"),
    Column("repeats", BigInteger, nullable=False, server_default="0"),
    Column("rejected", BigInteger, nullable=False, server_default="0"),
    real_moment_of_writing("started_at"),
    moment("finished_at"),
    ForeignKeyConstraint(["workspace_id", "sequence_id"], ["sequences.workspace_id", "sequences.id"]),
    UniqueConstraint("sequence_id", "name"),
)

batch_rejects = Table(
    "batch_rejects",
    metadata,
    Column("batch_id", BigInteger, ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True),
    Column("line", BigInteger, primary_key=True, comment="the physical line on which the record starts"),
    Column("reason", Text, nullable=False),
    Column("fields", ARRAY(Text), nullable=False),
)
