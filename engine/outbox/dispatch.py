"""The gate of dispatch: open while a leader has lately made sure that the database is not an older copy of itself.

Every second the leader raises a number in the database and then in Redis. A database that was restored from a backup
knows a smaller number than Redis: what fell due since the backup may have gone out, so it is held for an operator.
A restored database's gate has shut long ago, so that nothing is claimed before a leader has compared. It would also
give out row ids anew that messages on their way are known by: Message-IDs and callbacks name them.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from engine.database import Session
from engine.outbox.following import FOLLOWING
from engine.outbox.replan import MOVED_WHILE_SHUT
from schema.states import MESSAGE_TYPES

READ: Final = """
SELECT database, beat, open_until > clock_timestamp(), date_part('epoch', clock_timestamp() - beaten_at)
FROM dispatch
"""

#: Other leaders are waited for: what they have noted elsewhere is in the database then.
LOCK: Final = "SELECT FROM dispatch FOR UPDATE"

BEAT: Final = """
UPDATE dispatch SET beat = greatest(beat, %(known)b) + 1, beaten_at = clock_timestamp(),
    open_until = clock_timestamp() + %(seconds)b * interval '1 second'
RETURNING beat
"""

#: The same for a leader that has beaten before: nothing, if the database is another one by now, or went back.
GO_ON: Final = """
UPDATE dispatch SET beat = beat + 1, beaten_at = clock_timestamp(),
    open_until = clock_timestamp() + %(seconds)b * interval '1 second'
WHERE database = %(database)b AND beat >= %(known)b
RETURNING beat
"""

#: More than the fences that a row may have had since the backup: no attempt is named like one that is forgotten.
FENCES: Final = 1_000

MESSAGES: Final = ", ".join(repr(kind) for kind in MESSAGE_TYPES)

#: What is in doubt already may have been sent again since the backup: by a look-up, or by an operator; and what waits
#: behind a gate, when that ended.
RENUMBER: Final = f"UPDATE outbox SET fence = fence + {FENCES} WHERE status IN ('unknown', 'review', 'waiting')"

#: What a gate let go since the backup was made may have gone out, if it fell due by now (engine/outbox/advance.py).
NOTE_LOST_TIME: Final = """
UPDATE dispatch SET lost_seconds = greatest(
    lost_seconds,
    date_part('epoch', clock_timestamp() - beaten_at) * (SELECT rate FROM clock ORDER BY id DESC LIMIT 1)
)
"""

#: Whatever the backup says is due or on its way may have been sent since it was made; or was, as somebody has told.
#: Of gates nothing can have gone out: they are settled once more.
HOLD: Final = f"""
WITH moment AS MATERIALIZED (SELECT sequence_now() AS now),
doubtful AS (
    SELECT o.id, o.fence,
        (SELECT min(a.provider_id) FROM attempts a WHERE a.outbox_id = o.id AND a.outcome = 'accepted') AS proven
    FROM outbox o, moment
    WHERE o.type IN ({MESSAGES})
        AND (o.status = 'sending' OR o.status = 'pending' AND (o.due_at <= moment.now OR o.reason = %(moved)b))
    FOR UPDATE OF o
),
settled AS (
    UPDATE outbox o SET status = CASE WHEN doubtful.proven IS NULL THEN 'review' ELSE 'sent' END,
        reason = %(reason)b, provider_id = coalesce(doubtful.proven, o.provider_id),
        sent_at = CASE WHEN doubtful.proven IS NOT NULL THEN moment.now END,
        fence = o.fence + {FENCES}, lease_until = NULL, retry_at = NULL
    FROM doubtful, moment WHERE o.id = doubtful.id
    RETURNING o.id, o.enrollment_id, o.step_order, o.status, o.due_at, o.retry_at, o.workspace_id
),
noted AS (
    INSERT INTO history (sequence_at, workspace_id, enrollment_id, outbox_id, made_by, was, became, reason)
    SELECT moment.now, settled.workspace_id, settled.enrollment_id, settled.id, 'leader', before.status,
        settled.status, %(reason)b
    FROM moment, settled JOIN outbox before ON before.id = settled.id
),
{FOLLOWING}
"""

#: The microseconds of this moment are above any id that was given out since the backup, be it after an earlier restore:
#: fewer rows are written than one in a microsecond.
LEAP_AHEAD: Final = """
SELECT setval(
    numbers.name, greatest(nextval(numbers.name), (date_part('epoch', clock_timestamp()) * 1000000)::bigint)
)
FROM (SELECT pg_get_serial_sequence('outbox', 'id')::regclass AS name) AS numbers
"""

#: What a restore from a backup does to the heartbeat: the leader and `cadenza doctor` notice both alike.
SET_BACK: Final = "UPDATE dispatch SET beat = beat - 1, open_until = clock_timestamp()"

RESTORED: Final = "the database was restored from a backup: it may have gone out since"


@dataclass(frozen=True, slots=True)
class Pulse:
    """The heartbeat as the database knows it."""

    database: UUID
    beat: int
    is_open: bool
    age: float | None
    """Real seconds since the last beat; None: there was none yet."""


def read_pulse(session: Session) -> Pulse:
    """The heartbeat as the database knows it."""
    row = session.execute(READ).fetchone()
    if row is None:
        raise LookupError("the table dispatch is empty: run `cadenza migrate`")
    return Pulse(*row)


def lock_pulse(session: Session) -> Pulse:
    """The heartbeat as the database knows it, for whoever is about to beat."""
    session.execute(LOCK)
    return read_pulse(session)


def beat(session: Session, known: int, open_seconds: float) -> int:
    """Beat once, above the number that is known elsewhere; the gate stays open for so many real seconds."""
    row = session.execute(BEAT, {"known": known, "seconds": open_seconds}, binary=True).fetchone()
    if row is None:
        raise LookupError("the table dispatch is empty: run `cadenza migrate`")
    return int(row[0])


def go_on(session: Session, database: UUID, known: int, open_seconds: float) -> int | None:
    """Beat once, if it is the same database and knows all that is known elsewhere; None: compare before you beat."""
    parameters = {"database": database, "known": known, "seconds": open_seconds}
    row = session.execute(GO_ON, parameters, prepare=True, binary=True).fetchone()
    return None if row is None else int(row[0])


def hold_what_is_due(session: Session) -> int:
    """Hold what may have gone out since the backup for an operator, and number rows anew; tell how many were held."""
    session.execute(LEAP_AHEAD)
    session.execute(RENUMBER)
    session.execute(NOTE_LOST_TIME)
    return session.execute(HOLD, {"reason": RESTORED, "moved": MOVED_WHILE_SHUT}, binary=True).rowcount


def set_back(session: Session) -> None:
    """Shut the gate until a leader has held what is due: somebody else knows more than the database."""
    session.execute(SET_BACK)
