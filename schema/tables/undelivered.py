"""Numbers to which the last messages were not delivered for a reason that may pass."""

from sqlalchemy import BigInteger, Column, ForeignKey, PrimaryKeyConstraint, SmallInteger, Table, Text

from schema.tables.base import metadata, real_moment_of_writing

undelivered = Table(
    "undelivered",
    metadata,
    Column("workspace_id", BigInteger, ForeignKey("workspaces.id"), nullable=False),
    Column("address", Text, nullable=False, comment="E.164"),
    Column("in_a_row", SmallInteger, nullable=False, comment="messages not delivered since the last that was"),
    Column("error_code", Text, nullable=False, comment="of the last one"),
    real_moment_of_writing("updated_at"),
    PrimaryKeyConstraint("workspace_id", "address"),
)
