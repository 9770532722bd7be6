"""Contacts, and who must not be contacted."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from schema.tables.base import identity, metadata, real_moment_of_writing

contacts = Table(
    "contacts",
    metadata,
    identity(),
    Column("workspace_id", BigInteger, ForeignKey("workspaces.id"), nullable=False),
    Column("external_id", Text),
    Column("email", Text, comment="as given, the domain in lower case"),
    Column("email_key", Text, comment="the email case-folded: what it is matched by"),
    Column("phone", Text, comment="E.164"),
    Column("first_name", Text),
    Column("last_name", Text),
    Column("timezone", Text, comment="IANA name"),
    Column("attributes", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    real_moment_of_writing("created_at"),
    real_moment_of_writing("updated_at"),
    Column("tags", ARRAY(Text), nullable=False, server_default="{}"),
    UniqueConstraint("id", "workspace_id"),
    CheckConstraint("num_nonnulls(external_id, email, phone) > 0", name="has_key"),
    CheckConstraint("(email IS NULL) = (email_key IS NULL)", name="email_key"),
    CheckConstraint("phone ~ '^\\+[1-9][0-9]{3,14}$'", name="phone"),
)

for _key in ("external_id", "email_key", "phone"):
    Index(
        f"contacts_{_key}_key",
        contacts.c.workspace_id,
        contacts.c[_key],
        unique=True,
        postgresql_where=contacts.c[_key].is_not(None),
    )

Index(
    "contacts_company_idx",
    contacts.c.workspace_id,
    text("lower(btrim(attributes ->> 'company'))"),
    postgresql_where=text("attributes ->> 'company' IS NOT NULL"),
)

suppressions = Table(
    "suppressions",
    metadata,
    identity(),
    Column("workspace_id", BigInteger, ForeignKey("workspaces.id"), nullable=False),
    Column("channel", Text, nullable=False),
    Column("address", Text, nullable=False, comment="E.164, or the case-folded email"),
    Column("reason", Text, nullable=False),
    real_moment_of_writing("created_at"),
    Column("note", Text, comment="what an operator or an imported list says of it"),
    UniqueConstraint("workspace_id", "channel", "address"),
    CheckConstraint("channel IN ('sms', 'email')", name="channel"),
)

contact_opt_outs = Table(
    "contact_opt_outs",
    metadata,
    Column("contact_id", BigInteger, ForeignKey("contacts.id", ondelete="CASCADE"), nullable=False),
    Column("channel", Text, nullable=False),
    Column("workspace_id", BigInteger, ForeignKey("workspaces.id"), nullable=False),
    Column("reason", Text, nullable=False),
    real_moment_of_writing("created_at"),
    PrimaryKeyConstraint("contact_id", "channel"),
    CheckConstraint("channel IN ('sms', 'email')", name="channel"),
    comment="people who must not be contacted on a channel, whatever their address is",
)

contact_holds = Table(
    "contact_holds",
    metadata,
    Column("event_id", BigInteger, ForeignKey("events.id", ondelete="CASCADE"), nullable=False),
    Column("contact_id", BigInteger, ForeignKey("contacts.id", ondelete="CASCADE"), nullable=False),
    Column("channel", Text, nullable=False),
    Column("workspace_id", BigInteger, ForeignKey("workspaces.id"), nullable=False),
    real_moment_of_writing("created_at"),
    PrimaryKeyConstraint("event_id"),
    CheckConstraint("channel IN ('sms', 'email')", name="channel"),
    comment="a channel of a contact waits until an operator decides whether a message is an opt-out",
)

Index("contact_holds_contact_idx", contact_holds.c.contact_id, contact_holds.c.channel)
Index("contact_opt_outs_workspace_idx", contact_opt_outs.c.workspace_id, contact_opt_outs.c.contact_id)
