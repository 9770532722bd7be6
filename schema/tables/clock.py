"""The sequence clock: from each row on, sequence time is `sequence_from + (now - real_from) * rate`."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Double, Identity, Table

from schema.tables.base import metadata, moment

clock = Table(
    "clock",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True, comment="the last one is in force"),
    moment("real_from", nullable=False),
    moment("sequence_from", nullable=False),
    Column("rate", Double, nullable=False, comment="sequence seconds in a real second"),
    CheckConstraint("rate > 0", name="rate"),
)
