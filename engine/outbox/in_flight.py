"""What is in flight to a phone: being claimed, or handed over and not settled yet."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from engine.arrays import BigInts, Ints, Texts
from engine.database import Session
from schema.states import RowStatus

#: Transactions that may have claimed rows: those that lock the outbox as a claim does (engine/outbox/barrier.py). The
#: API never claims.
CLAIMS: Final = """
SELECT l.virtualtransaction FROM pg_locks l
LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'relation' AND l.relation = 'outbox'::regclass AND l.mode = 'RowShareLock' AND l.granted
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND a.application_name IS DISTINCT FROM 'cadenza api'
"""

#: The rows that are sending are few: the index of them is read first, whatever the statistics say, and the attempts by
#: their key. The attempt knows the number, which the contact may have changed since.
IN_FLIGHT: Final = f"""
WITH sending AS MATERIALIZED (
    SELECT id, fence, workspace_id FROM outbox
    WHERE status = '{RowStatus.SENDING}' AND type = 'sms'
),
attempted AS MATERIALIZED (
    SELECT sending.*, (
        SELECT a.recipient FROM attempt_records a WHERE a.outbox_id = sending.id AND a.fence = sending.fence
    ) AS recipient
    FROM sending
)
SELECT attempted.workspace_id, attempted.recipient, attempted.id, attempted.fence
FROM attempted JOIN unnest(%(workspaces)b::bigint[], %(phones)b::text[]) AS asked (workspace_id, phone)
    ON attempted.workspace_id = asked.workspace_id AND attempted.recipient = asked.phone
"""

STILL: Final = f"""
SELECT asked.id, asked.fence
FROM unnest(%(ids)b::bigint[], %(fences)b::int[]) AS asked (id, fence)
WHERE (SELECT o.fence FROM outbox o WHERE o.id = asked.id AND o.status = '{RowStatus.SENDING}') = asked.fence
"""


class Phone(NamedTuple):
    """A phone, as one workspace knows it."""

    workspace_id: int
    number: str


class HandOver(NamedTuple):
    """A claim of a row."""

    row_id: int
    fence: int


def claims_under_way(session: Session) -> set[str]:
    """Return the names of the transactions that may have claimed rows."""
    return {name for (name,) in session.execute(CLAIMS)}


def hand_overs_to(session: Session, phones: Sequence[Phone]) -> dict[Phone, set[HandOver]]:
    """Return what is in flight to each of these phones."""
    asked = {
        "workspaces": BigInts([phone.workspace_id for phone in phones]),
        "phones": Texts([phone.number for phone in phones]),
    }
    found: dict[Phone, set[HandOver]] = {phone: set() for phone in phones}
    for workspace_id, number, row_id, fence in session.execute(IN_FLIGHT, asked, binary=True):
        found[Phone(workspace_id, number)].add(HandOver(row_id, fence))
    return found


def still_in_flight(session: Session, hand_overs: Sequence[HandOver]) -> set[HandOver]:
    """Return those that have not been settled."""
    asked = {
        "ids": BigInts([one.row_id for one in hand_overs]),
        "fences": Ints([one.fence for one in hand_overs]),
    }
    return {HandOver._make(row) for row in session.execute(STILL, asked, binary=True)}
