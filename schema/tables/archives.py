"""Archived steps: outbox rows and attempts of enrollments that ended long ago, by month (docs/decisions/0029).

Both tables are partitioned by month and have no default partition. Their partitions are in the SQL schema `archives`:
`cadenza retain` makes the one that it is about to fill. Nothing that sends messages reads or writes these tables.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from schema.tables.base import metadata, moment
from schema.tables.outbox import attempt_records, outbox


def _columns_of(table: Table) -> list[Column[Any]]:
    """Return columns of the same names and types, without defaults and keys."""
    return [Column(column.name, column.type, nullable=column.nullable) for column in table.columns]


#: The month is that of `enrollments.archived_month`, so a look-up by enrollment reads one partition.
archived_outbox = Table(
    "archived_outbox",
    metadata,
    *_columns_of(outbox),
    Column("archived_month", Date, nullable=False),
    PrimaryKeyConstraint("id", "archived_month"),
    postgresql_partition_by="RANGE (archived_month)",
)

Index("archived_outbox_enrollment_idx", archived_outbox.c.enrollment_id, archived_outbox.c.step_order)
Index(
    "archived_outbox_provider_idx",
    archived_outbox.c.provider_id,
    postgresql_where=archived_outbox.c.provider_id.is_not(None),
)
Index(
    "archived_outbox_variants_idx",
    archived_outbox.c.workspace_id,
    archived_outbox.c.step_key,
    archived_outbox.c.enrollment_id,
    postgresql_where=archived_outbox.c.type == "variants",
)

#: The columns of the view `attempts`: how an attempt ended is written here, though its row may say it too.
archived_attempts = Table(
    "archived_attempts",
    metadata,
    *_columns_of(attempt_records),
    Column("archived_month", Date, nullable=False),
    PrimaryKeyConstraint("outbox_id", "fence", "archived_month"),
    postgresql_partition_by="RANGE (archived_month)",
)

archive_months = Table(
    "archive_months",
    metadata,
    Column("month", Date, nullable=False, comment="the first day of the month, UTC"),
    moment("detached_at", comment="real time; null: its partitions are attached"),
    PrimaryKeyConstraint("month"),
)

#: These stay when a month is detached, so figures stay true. The step that moves rows adds them.
archived_counts = Table(
    "archived_counts",
    metadata,
    Column("month", Date, nullable=False),
    Column("workspace_id", BigInteger, nullable=False),
    Column("sequence_id", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("attempts", BigInteger, nullable=False),
    PrimaryKeyConstraint("month", "workspace_id", "sequence_id", "type", "status"),
)
