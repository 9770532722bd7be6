"""Workspaces: the tenants. Everything else belongs to one."""

from sqlalchemy import CheckConstraint, Column, Date, SmallInteger, Table, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from schema.tables.base import identity, metadata, moment, real_moment_of_writing

workspaces = Table(
    "workspaces",
    metadata,
    identity(),
    Column("key", Text, nullable=False),
    Column(
        "public_id",
        Text,
        nullable=False,
        server_default=text("'ws_' || replace(gen_random_uuid()::text, '-', '')"),
        comment="opaque: stands for the workspace in URLs and Message-IDs",
    ),
    Column("name", Text, nullable=False),
    Column("timezone", Text, nullable=False, server_default="UTC", comment="IANA name"),
    Column("region", Text, nullable=False, server_default="US", comment="ISO 3166 code: national phone numbers"),
    Column(
        "max_tries",
        SmallInteger,
        nullable=False,
        server_default="3",
        comment="answers 'not now' before a row fails",
    ),
    Column("sender_name", Text),
    Column("email_from", Text, comment="the sender of its email; null: CADENZA_EMAIL_FROM"),
    Column("smtp_guarantee", Text, comment="null: CADENZA_SMTP_GUARANTEE"),
    real_moment_of_writing("created_at"),
    Column(
        "webhook_secret",
        Text,
        nullable=False,
        server_default=text("replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '')"),
        comment="signs the tokens in its callback URLs (engine/rules/token.py)",
    ),
    Column(
        "quiet_hours",
        Text,
        nullable=False,
        server_default="20:00-09:00",
        comment="of SMS, local time wherever the contact may be: hours, days that differ, strict: those of the law too;"
        " or off",
    ),
    Column(
        "holidays",
        ARRAY(Date),
        nullable=False,
        server_default="{}",
        comment="its own, beside those of the countries that a window names",
    ),
    Column(
        "signing_secret",
        Text,
        nullable=False,
        server_default=text(
            "'whsec_' || encode(decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'),"
            " 'base64')"
        ),
        comment="signs its webhooks (engine/rules/webhooks.py)",
    ),
    Column("former_secret", Text, comment="the one before: it signs too, for a while"),
    moment("former_secret_until", comment="real time"),
    Column(
        "opt_out_scope",
        Text,
        nullable=False,
        server_default="channel",
        comment="whether an opt-out bars the channel on which it came, or all channels",
    ),
    Column(
        "doubtful",
        Text,
        nullable=False,
        server_default="hold",
        comment="what happens to a contact whose message may be an opt-out, until an operator decides",
    ),
    Column(
        "opt_out_words",
        ARRAY(Text),
        nullable=False,
        server_default="{}",
        comment="its own, beside those of each language",
    ),
    Column("reply_to", Text, comment="of its email, a template; null: answers go to the sender"),
    Column("cc", ARRAY(Text), nullable=False, server_default="{}", comment="of its email, templates"),
    Column("headers", JSONB, nullable=False, server_default=text("'{}'::jsonb"), comment="of its email"),
    UniqueConstraint("key"),
    UniqueConstraint("public_id"),
    CheckConstraint("key ~ '^[a-z0-9][a-z0-9_-]{0,62}$'", name="key"),
    CheckConstraint("region ~ '^[A-Z]{2}$'", name="region"),
    CheckConstraint("smtp_guarantee IN ('at_most_once', 'at_least_once')", name="smtp_guarantee"),
    CheckConstraint(
        "quiet_hours ~ ('^(off|([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9])'"
        " || '(, (mon|tue|wed|thu|fri|sat|sun) (off|([01][0-9]|2[0-3]):[0-5][0-9]-"
        "(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)))*' || '(, strict)?$')",
        name="quiet_hours",
    ),
    CheckConstraint("doubtful IN ('hold', 'go-on')", name="doubtful"),
    CheckConstraint("opt_out_scope IN ('channel', 'all')", name="opt_out_scope"),
    CheckConstraint("max_tries BETWEEN 1 AND 20", name="max_tries"),
)
