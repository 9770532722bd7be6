"""Human tasks: what a person is to do. A row for each step of that kind once somebody has to do with it.

Whether it is done is told by the step's outbox row alone; only a task that was added by hand has no such row.
"""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Table, Text, text

from schema.states import TASK_TYPES, Priority, TaskState, sql_list
from schema.tables.base import identity, metadata, moment, one_of, real_moment_of_writing

tasks = Table(
    "tasks",
    metadata,
    identity(),
    Column("workspace_id", BigInteger, ForeignKey("workspaces.id"), nullable=False),
    Column("enrollment_id", BigInteger, ForeignKey("enrollments.id"), nullable=False),
    Column("outbox_id", BigInteger, comment="its step; null: added by hand, and holds nothing up"),
    Column("type", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text, comment="what is to be done, rendered when it became active"),
    Column("priority", Text, nullable=False, server_default=Priority.MEDIUM.value),
    Column("assignee", Text, comment="who does it; null: nobody yet"),
    moment("due_at", comment="sequence time; of one that was added by hand"),
    Column("closed", Text, comment="how one that was added by hand ended"),
    moment("ended_at", comment="sequence time"),
    Column("ended_by", Text, comment="who said so, as they call themselves"),
    Column("note", Text, comment="what they said of it"),
    moment("reopened_at", comment="real time at which somebody last said that it was not done after all"),
    real_moment_of_writing("created_at"),
    CheckConstraint(f"type IN ({', '.join(repr(t) for t in TASK_TYPES)})", name="type"),
    one_of("priority", Priority),
    CheckConstraint(
        f"closed IN ({sql_list(TaskState.COMPLETED, TaskState.CANCELLED, TaskState.SKIPPED)})", name="closed"
    ),
    CheckConstraint("outbox_id IS NULL OR closed IS NULL", name="one_truth"),
    CheckConstraint("(outbox_id IS NULL) = (due_at IS NOT NULL)", name="due_at"),
)

Index("tasks_outbox_key", tasks.c.outbox_id, unique=True, postgresql_where=tasks.c.outbox_id.is_not(None))
Index("tasks_enrollment_idx", tasks.c.enrollment_id)
Index(
    "tasks_by_hand_idx",
    tasks.c.workspace_id,
    tasks.c.due_at,
    postgresql_where=text("outbox_id IS NULL AND closed IS NULL"),
)
