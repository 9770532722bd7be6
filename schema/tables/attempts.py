"""The view `attempts`: every attempt to send a row, and how it ended.

The end of an attempt that was plainly accepted is on its row, which is written then anyhow; any other end is on the
attempt itself (docs/decisions/0006-the-attempt-is-written-first.md). Whatever reads how attempts ended reads this view.
"""

from typing import Any, Final

from sqlalchemy import Connection, MetaData, event

from schema.tables.base import metadata

#: The row is found by its id, as engine/outbox/lookups.py has it.
VIEW: Final = """
CREATE VIEW attempts AS
SELECT a.outbox_id, a.fence, a.workspace_id, a.channel, a.recipient, a.payload, a.lateness_seconds, a.started_at,
    coalesce(a.ended_at, told.accepted_at) AS ended_at,
    CASE WHEN told.id IS NULL THEN a.outcome ELSE 'accepted' END AS outcome,
    coalesce(a.provider_id, told.provider_id) AS provider_id, a.error_code,
    coalesce(a.detail, told.accepted_detail) AS detail, a.looks, a.looked_at
FROM attempt_records a LEFT JOIN outbox told
    ON a.outcome IS NULL AND told.id = ANY (ARRAY[a.outbox_id]) AND told.accepted_fence = a.fence
"""

COMMENT: Final = """
COMMENT ON VIEW attempts IS 'Every attempt to send a row, and how it ended: told by itself, or by its row.'
"""


@event.listens_for(metadata, "after_create")
def make_view(_metadata: MetaData, connection: Connection, **_options: Any) -> None:
    """Make the view when all tables are made."""
    connection.exec_driver_sql(VIEW)
    connection.exec_driver_sql(COMMENT)
