"""Channels of workspaces that pause: their provider refuses whatever is sent, for a reason that is not the message."""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, PrimaryKeyConstraint, Table, Text

from schema.tables.base import metadata, moment, real_moment_of_writing

pauses = Table(
    "pauses",
    metadata,
    Column("workspace_id", BigInteger, ForeignKey("workspaces.id"), nullable=False),
    Column("channel", Text, nullable=False),
    Column("outbox_id", BigInteger, nullable=False, comment="the row that tries meanwhile, for all"),
    Column("error_code", Text, comment="the provider's"),
    Column("detail", Text, comment="what the provider said, without addresses"),
    real_moment_of_writing("since"),
    moment(
        "until", nullable=False, comment="real time: it is over then at the latest, unless that row was refused again"
    ),
    PrimaryKeyConstraint("workspace_id", "channel"),
    CheckConstraint("channel IN ('sms', 'email')", name="channel"),
)
