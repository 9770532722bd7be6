"""Enrollments, and the events that asked for them.

Enrollments have no foreign keys: the one statement that writes them holds them against what they name
(engine/outbox/plan.py, docs/decisions/0003-no-foreign-keys-on-the-outbox.md).
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from schema.states import EnrollmentStatus, Reentry
from schema.tables.base import identity, metadata, moment, one_of, real_moment_of_writing

enrollments = Table(
    "enrollments",
    metadata,
    identity(),
    Column("workspace_id", BigInteger, nullable=False),
    Column("sequence_id", BigInteger, nullable=False),
    Column("version_id", BigInteger, nullable=False),
    Column("contact_id", BigInteger, nullable=False),
    Column("status", Text, nullable=False, server_default=EnrollmentStatus.ACTIVE.value),
    Column("exit_reason", Text),
    Column("reentry", Text, nullable=False, comment="the rule under which it was made"),
    Column("batch_id", BigInteger),
    Column(
        "data",
        JSONB,
        nullable=False,
        server_default=text("'{}'::jsonb"),
        comment="custom.* of this enrollment alone",
    ),
    moment("enrolled_at", nullable=False, comment="sequence time"),
    moment("paused_at", comment="sequence time"),
    moment("completed_at", comment="sequence time"),
    moment("cancelled_at", comment="sequence time"),
    real_moment_of_writing("created_at"),
    Column("caused_by", BigInteger, comment="the enrollment whose action made it"),
    moment("migrated_at", comment="real time at which it last went on in another version"),
    moment("modified_at", comment="real time at which somebody last changed its own steps"),
    Column("own_delays", JSONB, comment="by step key: what it waits in this enrollment alone; null: nothing"),
    moment("counts_from", comment="sequence time from which the first step counts, moved by pauses; null: enrolled_at"),
    Column("archived_month", Date, comment="its steps are in the archive of this month; null: in outbox"),
    one_of("status", EnrollmentStatus),
    one_of("reentry", Reentry),
    CheckConstraint("(status = 'paused') = (paused_at IS NOT NULL)", name="paused_at"),
    CheckConstraint("(status = 'completed') = (completed_at IS NOT NULL)", name="completed_at"),
    CheckConstraint("(status = 'cancelled') = (cancelled_at IS NOT NULL)", name="cancelled_at"),
    CheckConstraint("(status = 'cancelled') = (exit_reason IS NOT NULL)", name="exit_reason"),
)

Index(
    "enrollments_reentry_key",
    enrollments.c.sequence_id,
    enrollments.c.contact_id,
    unique=True,
    postgresql_where=text("reentry = 'once' OR reentry = 'after_exit' AND status IN ('active', 'paused')"),
)
Index(
    "enrollments_batch_key",
    enrollments.c.batch_id,
    enrollments.c.contact_id,
    unique=True,
    postgresql_where=enrollments.c.batch_id.is_not(None),
)
Index("enrollments_contact_idx", enrollments.c.contact_id, enrollments.c.sequence_id)
Index(
    "enrollments_running_idx",
    enrollments.c.sequence_id,
    enrollments.c.id,
    postgresql_where=enrollments.c.status.in_([EnrollmentStatus.ACTIVE.value, EnrollmentStatus.PAUSED.value]),
)
for _scope in ("workspace", "sequence"):
    Index(
        f"enrollments_{_scope}_status_idx",
        text(f"({_scope}_id + 0)"),
        enrollments.c.status,
        text("(id + 0)"),
    )

enroll_events = Table(
    "enroll_events",
    metadata,
    Column("workspace_id", BigInteger, ForeignKey("workspaces.id"), nullable=False),
    Column("idempotency_key", Text, nullable=False, comment="honoured forever: rows are never removed"),
    Column("digest", Text, nullable=False, comment="SHA-256 of the request: another one may not reuse the key"),
    Column("enrollment_id", BigInteger, ForeignKey("enrollments.id"), nullable=False),
    real_moment_of_writing("received_at"),
    PrimaryKeyConstraint("workspace_id", "idempotency_key"),
)
