"""What people and rules did to enrollments and steps, beside what rows and attempts tell. Only appended to."""

from sqlalchemy import BigInteger, Column, Index, Table, Text

from schema.tables.base import metadata, moment, real_moment_of_writing

history = Table(
    "history",
    metadata,
    real_moment_of_writing("at"),
    moment("sequence_at", nullable=False, comment="sequence time"),
    Column("workspace_id", BigInteger, nullable=False),
    Column("sequence_id", BigInteger, comment="what was done to a whole sequence"),
    Column("enrollment_id", BigInteger),
    Column("outbox_id", BigInteger, comment="null: the enrollment itself"),
    Column("made_by", Text, nullable=False, comment="who: a person, or a part of the engine"),
    Column("was", Text),
    Column("became", Text, nullable=False),
    Column("reason", Text),
    postgresql_partition_by="RANGE (at)",
)

Index("history_enrollment_idx", history.c.enrollment_id, history.c.at)
