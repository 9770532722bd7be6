"""The declared tables. `cadenza migrate` must give exactly these (tests/integration/test_migrations.py)."""

from schema.tables import attempts
from schema.tables.archives import archive_months, archived_attempts, archived_counts, archived_outbox
from schema.tables.base import metadata
from schema.tables.batches import batch_rejects, batches
from schema.tables.clock import clock
from schema.tables.contacts import contact_holds, contact_opt_outs, contacts, suppressions
from schema.tables.counters import counter_deltas, counters, sent_seconds
from schema.tables.dispatch import dispatch
from schema.tables.enrollments import enroll_events, enrollments
from schema.tables.events import events
from schema.tables.history import history
from schema.tables.holds import holds
from schema.tables.outbox import attempt_records, outbox
from schema.tables.pauses import pauses
from schema.tables.sequences import sequence_versions, sequences
from schema.tables.tasks import tasks
from schema.tables.templates import template_versions, templates
from schema.tables.undelivered import undelivered
from schema.tables.workspaces import workspaces

__all__ = [
    "archive_months",
    "archived_attempts",
    "archived_counts",
    "archived_outbox",
    "attempt_records",
    "attempts",
    "batch_rejects",
    "batches",
    "clock",
    "contact_holds",
    "contact_opt_outs",
    "contacts",
    "counter_deltas",
    "counters",
    "dispatch",
    "enroll_events",
    "enrollments",
    "events",
    "history",
    "holds",
    "metadata",
    "outbox",
    "pauses",
    "sent_seconds",
    "sequence_versions",
    "sequences",
    "suppressions",
    "tasks",
    "template_versions",
    "templates",
    "undelivered",
    "workspaces",
]
