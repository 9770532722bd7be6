"""Rows in doubt: handed over, and nobody knows whether the provider accepted them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg.rows import class_row

from engine.database import Session
from engine.outbox.dispatch import RESTORED
from engine.outbox.lookups import checked, look_up
from engine.outbox.sweep import LOST
from engine.rules.doubt import LOOK_AFTER_ERROR, NOT_ACCEPTED, SERVER_ERRORS, comparable
from schema.states import sql_list

REFUSALS: Final = sql_list(*NOT_ACCEPTED)

#: The last attempt of each row in doubt that is due for a look: first when the grace time has passed since it ended, or
#: soon if Twilio answered with a server error; then at every interval; a row of each workspace by turns. Email can't be
#: looked up, so nothing is waited for but the late word of a worker that was lost, or seemed so. If that word says that
#: it was not accepted, there is no doubt any more. What needs no look-up comes first.
DOUBTFUL: Final = f"""
SELECT o.id, o.fence, o.workspace_id, o.enrollment_id, o.step_key, o.type AS channel, last.fence AS attempt_fence,
    last.recipient, last.payload, last.started_at, last.ended_at, last.looks, last.outcome,
    date_part('epoch', clock_timestamp() - last.started_at) AS age,
    (SELECT e.version_id FROM enrollments e WHERE e.id = o.enrollment_id) AS version_id,
    (SELECT count(*) FROM attempts a WHERE a.outbox_id = o.id AND a.outcome = 'unanswered') AS unanswered,
    (SELECT min(a.provider_id) FROM attempts a WHERE a.outbox_id = o.id AND a.outcome = 'accepted') AS proven
FROM outbox o
CROSS JOIN LATERAL (SELECT * FROM attempts a WHERE a.outbox_id = o.id ORDER BY a.fence DESC LIMIT 1) AS last
WHERE o.status = 'unknown' AND o.type = ANY(%(channels)b) AND clock_timestamp() >= CASE
    WHEN last.outcome IN ({REFUSALS}) THEN last.started_at
    WHEN last.looked_at IS NOT NULL THEN last.looked_at + %(interval)b * interval '1 second'
    WHEN o.type <> 'sms' AND last.detail IS DISTINCT FROM '{LOST}' THEN last.started_at
    WHEN last.error_code = ANY(%(errors)b) THEN last.ended_at + least(%(grace)b, {LOOK_AFTER_ERROR})
        * interval '1 second'
    ELSE last.ended_at + %(grace)b * interval '1 second'
END
ORDER BY o.type = 'sms',
    row_number() OVER (PARTITION BY o.workspace_id, o.type ORDER BY last.looked_at NULLS FIRST, o.id), o.id
LIMIT %(limit)b
"""

LOOKED: Final = """
UPDATE attempt_records SET looks = looks + %(empty)b, looked_at = clock_timestamp()
WHERE outbox_id = %(row)b AND fence = %(fence)b
"""

#: Provider ids that some row or attempt of ours has already. An attempt whose id its row has not is one of a contact
#: with the recipient's phone; there is no index of attempts by their ids, which would slow down all of them.
TAKEN: Final = f"""
SELECT provider_id FROM outbox WHERE provider_id = ANY(%(ids)b::text[]) AND id <> %(row)b
UNION
SELECT provider_id FROM archived_outbox WHERE provider_id = ANY(%(ids)b::text[])
UNION
SELECT a.provider_id
FROM workspaces w
JOIN contacts c ON {look_up("c.workspace_id", "w.id")} AND c.phone = %(recipient)b
JOIN enrollments e ON {look_up("e.contact_id", "c.id")}
JOIN outbox o ON {look_up("o.enrollment_id", "e.id")}
JOIN attempts a ON {look_up("a.outbox_id", "o.id")} AND a.provider_id = ANY(%(ids)b::text[])
WHERE (a.outbox_id, a.fence) <> (%(row)b, %(fence)b)
"""

#: Other attempts to the recipient of which nobody knows yet what they were accepted as; and the rows that are held
#: since the database was restored: if they had attempts, these are forgotten, and what they said.
OPEN: Final = f"""
SELECT a.payload ->> 'body', o.status = 'sending'
FROM outbox o JOIN attempts a ON {look_up("a.outbox_id", "o.id")} AND a.channel = 'sms' AND a.recipient = %(recipient)b
    AND (a.outcome IS NULL OR a.outcome = 'unanswered')
WHERE o.id <> %(row)b AND (o.status = 'sending' AND a.fence = o.fence OR o.status IN ('unknown', 'review', 'open'))
UNION ALL
SELECT NULL, false
FROM workspaces w
JOIN contacts c ON {look_up("c.workspace_id", "w.id")} AND c.phone = %(recipient)b
JOIN enrollments e ON {look_up("e.contact_id", "c.id")}
JOIN outbox o ON {look_up("o.enrollment_id", "e.id")}
WHERE {checked("o.type = 'sms' AND o.status = 'review'")} AND o.reason = %(restored)b AND o.id <> %(row)b
"""


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A row in doubt, and its last attempt."""

    id: int
    fence: int
    workspace_id: int
    enrollment_id: int
    version_id: int | None
    """None: the enrollment was deleted by hand."""
    step_key: str
    channel: str
    attempt_fence: int
    recipient: str
    payload: dict[str, Any]
    started_at: datetime
    """Real time, UTC."""
    ended_at: datetime
    """Real time, UTC."""
    looks: int
    """Look-ups that found nothing."""
    outcome: str | None
    """Of the last attempt: `unanswered`, unless its worker has had a late word."""
    age: float
    """Real seconds since the attempt began."""
    unanswered: int
    """Attempts of the row that nobody answered."""
    proven: str | None
    """The message of an attempt that a provider is known to have accepted."""


def doubtful(session: Session, channels: list[str], grace: float, interval: float, limit: int = 100) -> list[Doubtful]:
    """Rows in doubt that are due for a look; `grace` and `interval` are in real seconds."""
    with session.cursor(binary=True, row_factory=class_row(Doubtful)) as cursor:
        cursor.execute(
            DOUBTFUL,
            {
                "channels": channels,
                "errors": list(SERVER_ERRORS),
                "grace": grace,
                "interval": interval,
                "limit": limit,
            },
        )
        return cursor.fetchall()


def note_look(session: Session, row: Doubtful, *, empty: bool) -> None:
    """Note that the provider was asked, and whether it knew of nothing."""
    session.execute(LOOKED, {"row": row.id, "fence": row.attempt_fence, "empty": int(empty)}, binary=True)


def taken_ids(session: Session, row: Doubtful, ids: list[str]) -> set[str]:
    """Those of the provider's ids that another attempt of ours has already."""
    rows = session.execute(
        TAKEN, {"recipient": row.recipient, "ids": ids, "row": row.id, "fence": row.attempt_fence}, binary=True
    ).fetchall()
    return {provider_id for (provider_id,) in rows}


@dataclass(frozen=True, slots=True)
class OpenAttempts:
    """Other attempts to a recipient of which nobody knows yet what they were accepted as."""

    under_way: bool
    """One of them is being handed over."""
    texts: tuple[str, ...]
    """What those in doubt say."""
    forgotten: bool
    """There may have been others before the database was restored."""

    def may_own(self, text: str) -> bool:
        """Whether a message with this text may be that of one of them."""
        return self.forgotten or comparable(text) in map(comparable, self.texts)


def open_attempts(session: Session, row: Doubtful) -> OpenAttempts:
    """Other attempts to the recipient of a row in doubt."""
    rows = session.execute(
        OPEN, {"recipient": row.recipient, "row": row.id, "restored": RESTORED}, binary=True
    ).fetchall()
    return OpenAttempts(
        any(sending for _, sending in rows),
        tuple(text for text, sending in rows if not sending and text is not None),
        any(text is None for text, _ in rows),
    )
