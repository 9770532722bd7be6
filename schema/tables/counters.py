"""Counts that are kept: of outbox rows and of enrollments. Triggers on both write them (docs/decisions/0027)."""

from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint, Table, Text, text

from schema.tables.base import metadata, moment, real_moment_of_writing

counters = Table(
    "counters",
    metadata,
    Column("workspace_id", BigInteger, nullable=False),
    Column("sequence_id", BigInteger, nullable=False, comment="0: the whole workspace"),
    Column("kind", Text, nullable=False, comment="what is counted: outbox, steps, enrollments, enrolled"),
    Column("value", Text, nullable=False, comment="its status; of enrolled: where it came from"),
    Column("amount", BigInteger, nullable=False, comment="as of the last fold; counter_deltas has the rest"),
    moment("last_at", comment="of enrolled: the latest enrolled_at, sequence time"),
    PrimaryKeyConstraint("kind", "workspace_id", "value", "sequence_id"),
)

counter_deltas = Table(
    "counter_deltas",
    metadata,
    Column("workspace_id", BigInteger, nullable=False),
    Column("sequence_id", BigInteger, nullable=False, server_default=text("0")),
    Column("kind", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("amount", BigInteger, nullable=False, comment="by how much one statement changed the count"),
    moment("last_at", comment="of enrolled: the latest enrolled_at, sequence time"),
    real_moment_of_writing("made_at"),
)

sent_seconds = Table(
    "sent_seconds",
    metadata,
    Column("workspace_id", BigInteger, nullable=False),
    moment("second", nullable=False, comment="real time"),
    Column("amount", BigInteger, nullable=False, comment="messages that a provider accepted in it"),
    PrimaryKeyConstraint("workspace_id", "second"),
)
