"""What providers and recipients told us, each thing once: status callbacks and inbound messages."""

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
)
from sqlalchemy.dialects.postgresql import JSONB

from schema.tables.base import identity, metadata, moment, real_moment_of_writing

events = Table(
    "events",
    metadata,
    identity(),
    Column("workspace_id", BigInteger, ForeignKey("workspaces.id"), nullable=False),
    Column("provider", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("provider_id", Text, nullable=False, comment="the provider's name of the message: a Twilio SID"),
    Column(
        "status",
        Text,
        nullable=False,
        comment="of the delivery; of an inbound message what it says: stop, start, help, doubtful, reply; of a signal"
        " its kind: opened, clicked...",
    ),
    Column("outbox_id", BigInteger, comment="the row that it is about, as far as known"),
    Column("fence", Integer, comment="with outbox_id: the attempt that the callback's token names"),
    Column("contact_id", BigInteger, comment="who wrote; null: nobody that the workspace knows"),
    Column("error_code", Text, comment="the provider's"),
    Column("payload", JSONB, nullable=False, comment="what was sent to us; bodies of inbound messages alone are kept"),
    real_moment_of_writing("received_at"),
    moment("occurred_at", comment="sequence time"),
    UniqueConstraint("workspace_id", "provider", "provider_id", "status"),
    ForeignKeyConstraint(["workspace_id", "contact_id"], ["contacts.workspace_id", "contacts.id"]),
    CheckConstraint("kind IN ('status', 'inbound', 'signal')", name="kind"),
)

Index("events_outbox_idx", events.c.outbox_id, postgresql_where=events.c.outbox_id.is_not(None))
Index("events_contact_idx", events.c.contact_id, postgresql_where=events.c.contact_id.is_not(None))
Index("events_doubtful_idx", events.c.id, postgresql_where=events.c.status == "doubtful")
