"""A channel of a workspace pauses when its provider refuses whatever is sent, for a reason that is not the message.

One of the refused rows goes on trying, for all; the others wait for it. When it gets any other answer the pause is over
by itself, and so it is when that row goes away, or is not tried again in time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from psycopg.rows import class_row

from engine.database import Session
from engine.outbox.lookups import checked
from schema.states import RowStatus, sql_list

log = structlog.get_logger(__name__)

IN_FORCE: Final = f"""
    p.until > clock_timestamp() AND EXISTS (
        SELECT FROM outbox trying WHERE trying.id = p.outbox_id
            AND {checked(f"trying.status IN ({sql_list(RowStatus.PENDING, RowStatus.SENDING)})")}
        OFFSET 0
    )
"""

#: Nothing is asked about each row while no channel pauses.
NOT_PAUSED: Final = f"""
    (NOT (SELECT EXISTS (SELECT FROM pauses)) OR NOT EXISTS (
        SELECT FROM pauses p
        WHERE p.workspace_id = o.workspace_id AND p.channel = o.type AND p.outbox_id <> o.id AND {IN_FORCE}
    ))
"""

#: The row that tries first goes on for all, unless another does already. It has a minute more than its back-off.
PAUSE: Final = f"""
INSERT INTO pauses AS p (workspace_id, channel, outbox_id, error_code, detail, until)
SELECT DISTINCT ON (o.workspace_id, o.type)
    o.workspace_id, o.type, o.id, o.error_code, o.reason, o.retry_at + interval '1 minute'
FROM outbox o WHERE o.id = ANY(%(rows)b::bigint[]) AND {checked("o.status = 'pending'")} AND o.retry_at IS NOT NULL
ORDER BY o.workspace_id, o.type, o.retry_at
ON CONFLICT (workspace_id, channel) DO UPDATE SET outbox_id = excluded.outbox_id, error_code = excluded.error_code,
    detail = excluded.detail, until = excluded.until,
    since = CASE WHEN p.outbox_id = excluded.outbox_id THEN p.since ELSE excluded.since END
WHERE p.outbox_id = excluded.outbox_id OR NOT ({IN_FORCE})
RETURNING workspace_id, channel, error_code, detail, since >= now()
"""

END: Final = f"DELETE FROM pauses p WHERE NOT ({IN_FORCE}) RETURNING workspace_id, channel"

PAUSED: Final = f"""
SELECT w.key AS workspace, p.channel, p.since, p.error_code, p.detail
FROM pauses p JOIN workspaces w ON w.id = p.workspace_id
WHERE (%(workspace)b::bigint IS NULL OR w.id = %(workspace)b) AND {IN_FORCE}
ORDER BY w.key, p.channel
"""


@dataclass(frozen=True, slots=True)
class Paused:
    """A channel that pauses."""

    workspace: str
    channel: str
    since: datetime
    """Real time."""
    error_code: str | None
    detail: str | None


def pause(session: Session, rows: Sequence[int]) -> None:
    """Pause the channels of these rows, which are pending again: their provider refuses whatever is sent."""
    for workspace, channel, code, detail, begins in session.execute(PAUSE, {"rows": list(rows)}, binary=True):
        if begins:
            log.error("channel paused", workspace=workspace, channel=channel, error_code=code, detail=detail)


def end_pauses(session: Session) -> list[int]:
    """Forget the pauses that are over, and return their workspaces: the sweep wakes what has waited for them."""
    ended = session.execute(END, binary=True).fetchall()
    for workspace, channel in ended:
        log.info("channel goes on", workspace=workspace, channel=channel)
    return [workspace for workspace, _ in ended]


def paused(session: Session, workspace_id: int | None = None) -> list[Paused]:
    """The channels that pause, of one workspace or of all."""
    with session.cursor(binary=True, row_factory=class_row(Paused)) as cursor:
        return cursor.execute(PAUSED, {"workspace": workspace_id}).fetchall()
