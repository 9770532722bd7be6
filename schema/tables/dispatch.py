"""Whether rows may be claimed, and the heartbeat by which a database that was restored from a backup is noticed."""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Double, Table, Uuid, text

from schema.tables.base import metadata, moment

dispatch = Table(
    "dispatch",
    metadata,
    Column("id", Boolean, primary_key=True, server_default=text("true"), comment="there is one row"),
    Column("database", Uuid, nullable=False, server_default=text("gen_random_uuid()"), comment="tells databases apart"),
    Column("beat", BigInteger, nullable=False, server_default="0", comment="grows with every sweep"),
    moment("beaten_at", comment="real time"),
    moment("open_until", nullable=False, server_default=text("'infinity'"), comment="real time: no claims after it"),
    Column(
        "lost_seconds",
        Double,
        nullable=False,
        server_default="0",
        comment="sequence time from a backup to its restore, the longest of all",
    ),
    CheckConstraint("id", name="one_row"),
)
