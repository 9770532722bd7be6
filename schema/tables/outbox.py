"""The outbox: one row per step of an enrollment, the truth about it; and every attempt to send it.

Neither table has a foreign key: both are written by one statement each, from the rows that they name, and
a check per row would halve bulk enrollment (docs/decisions/0003-no-foreign-keys-on-the-outbox.md).
"""

from sqlalchemy import (
    REAL,
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from schema.states import STEP_TYPES, TASK_TYPES, UNDECIDED, AttemptOutcome, RowStatus, sql_list
from schema.tables.base import identity, metadata, moment, one_of, real_moment_of_writing

outbox = Table(
    "outbox",
    metadata,
    identity(),
    Column("workspace_id", BigInteger, nullable=False),
    Column("enrollment_id", BigInteger, nullable=False),
    Column(
        "step_order",
        SmallInteger,
        nullable=False,
        comment="from 1, in the order of the sequence version; below: of an older one",
    ),
    Column("step_key", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text, comment="why it is in this status"),
    moment("due_at", comment="sequence time; null while waiting behind a gate"),
    moment("retry_at", comment="real time: not before this, after a refusal for now"),
    Column(
        "attempts",
        SmallInteger,
        nullable=False,
        server_default="0",
        comment="tries: answers that refused for now",
    ),
    Column("fence", Integer, nullable=False, server_default="0", comment="grows at each change of status"),
    moment("lease_until", comment="real time"),
    Column("provider_id", Text, comment="the Twilio SID; for email the Message-ID with its <>"),
    Column("error_code", Text, comment="the provider's: a Twilio error code, an SMTP reply code"),
    moment("sent_at", comment="sequence time"),
    Column("delivery_status", Text, comment="what the provider last said of its delivery"),
    Column("outcome", Text, comment="what a gate came to: a branch, what a person says; undecided: it still waits"),
    moment("accepted_at", comment="real time; with accepted_fence: how that attempt ended"),
    Column(
        "accepted_fence", Integer, comment="of the attempt that was plainly accepted; null: the attempt tells itself"
    ),
    Column("accepted_detail", Text, comment="what the provider said of it, without addresses"),
    moment(
        "counts_from",
        comment="sequence time from which the steps behind count, moved by pauses; null: sent_at, or it never began",
    ),
    moment("rescheduled_at", comment="sequence time at which an operator last gave it a due time"),
    CheckConstraint(f"type IN ({', '.join(repr(t) for t in STEP_TYPES)})", name="type"),
    one_of("status", RowStatus),
    CheckConstraint("(status = 'sending') = (lease_until IS NOT NULL)", name="lease_until"),
    CheckConstraint("status <> 'pending' OR due_at IS NOT NULL", name="due_at"),
    CheckConstraint("(status = 'sent') = (sent_at IS NOT NULL)", name="sent_at"),
    CheckConstraint("status <> 'skipped' OR reason IS NOT NULL", name="skipped_reason"),
)

Index("outbox_enrollment_step_key", outbox.c.enrollment_id, outbox.c.step_order, unique=True)
Index(
    "outbox_due_idx",
    outbox.c.workspace_id,
    outbox.c.due_at,
    outbox.c.id,
    postgresql_where=outbox.c.status == RowStatus.PENDING.value,
)
Index("outbox_provider_idx", outbox.c.provider_id, postgresql_where=outbox.c.provider_id.is_not(None))
Index("outbox_lease_idx", outbox.c.lease_until, postgresql_where=outbox.c.status == RowStatus.SENDING.value)
Index(
    "outbox_doubt_idx",
    outbox.c.status,
    outbox.c.id,
    postgresql_where=outbox.c.status.in_([RowStatus.UNKNOWN.value, RowStatus.REVIEW.value, RowStatus.OPEN.value]),
)
Index(
    "outbox_undecided_idx",
    outbox.c.enrollment_id,
    postgresql_where=text(f"status = 'pending' AND outcome = '{UNDECIDED}'"),
)
Index(
    "outbox_tasks_idx",
    outbox.c.workspace_id,
    outbox.c.status,
    outbox.c.due_at,
    postgresql_where=text(f"type IN ({', '.join(repr(t) for t in TASK_TYPES)})"),
)
Index(
    "outbox_variants_idx",
    outbox.c.workspace_id,
    outbox.c.step_key,
    outbox.c.enrollment_id,
    postgresql_where=outbox.c.type == "variants",
)

#: Written here, and read through the view `attempts` (schema/tables/attempts.py).
attempt_records = Table(
    "attempt_records",
    metadata,
    Column("outbox_id", BigInteger, nullable=False),
    Column("fence", Integer, nullable=False, comment="the fence of the claim: names the attempt within its row"),
    Column("workspace_id", BigInteger, nullable=False),
    Column("channel", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("payload", JSONB, nullable=False, comment="what was handed over, rendered"),
    Column("lateness_seconds", REAL, nullable=False, comment="real seconds from due to hand-over"),
    real_moment_of_writing("started_at"),
    moment("ended_at", comment="real time"),
    Column("outcome", Text, comment="null: handed over, not answered yet"),
    Column("provider_id", Text),
    Column("error_code", Text),
    Column("detail", Text, comment="what the provider said, without addresses"),
    Column("looks", SmallInteger, nullable=False, server_default="0", comment="look-ups that found nothing"),
    moment("looked_at", comment="real time of the last look-up"),
    PrimaryKeyConstraint("outbox_id", "fence"),
    CheckConstraint(f"outcome IN ({sql_list(*AttemptOutcome)})", name="outcome"),
    CheckConstraint("(outcome IS NULL) = (ended_at IS NULL)", name="ended_at"),
)
