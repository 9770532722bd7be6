"""Proof that an attempt was accepted: a provider's callback, whose token names it, or its worker's late word."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import structlog

from engine.clock import SequenceClock
from engine.database import Session
from engine.metrics import DUPLICATES_DETECTED, RECOVERED
from engine.outbox.archived_rows import is_archived
from engine.outbox.dispatch import set_back
from engine.outbox.following import Settled
from engine.outbox.lookups import look_up
from engine.outbox.resolve import Resolution, note_acceptance, note_forgotten, resolve
from engine.outbox.settle import Ending
from engine.wakeups import Due
from schema.states import AttemptOutcome, RowStatus

log = structlog.get_logger(__name__)

ROW: Final = """
SELECT status, fence, provider_id, accepted_fence FROM outbox
WHERE id = %(row)b AND workspace_id = %(workspace)b FOR UPDATE
"""

BEGUN: Final = "SELECT FROM attempt_records WHERE outbox_id = %(row)b AND fence = %(fence)b"

#: What the row tells of an attempt is written down first.
NAME: Final = """
WITH told AS (
    UPDATE attempt_records a SET outcome = 'accepted', ended_at = o.accepted_at, detail = o.accepted_detail
    FROM outbox o
    WHERE o.id = %(row)b AND a.outbox_id = %(row)b AND a.fence = o.accepted_fence AND a.outcome IS NULL
)
UPDATE outbox SET provider_id = %(provider_id)b WHERE id = %(row)b
"""

#: Of these, those whose row does not know it: an answer that a callback came before is no news.
LATE: Final = f"""
SELECT o.workspace_id, late.id, late.fence, late.provider_id
FROM unnest(%(ids)b::bigint[], %(fences)b::int[], %(provider_ids)b::text[]) AS late (id, fence, provider_id)
JOIN outbox o ON {look_up("o.id", "late.id")}
WHERE o.status <> 'sent' OR o.provider_id IS DISTINCT FROM late.provider_id
ORDER BY late.id
"""

PROVEN: Final = f"""
SELECT DISTINCT ON (given.id) o.id, o.fence, a.provider_id
FROM unnest(%(ids)b::bigint[]) AS given (id) JOIN outbox o ON {look_up("o.id", "given.id")}
JOIN attempts a ON {look_up("a.outbox_id", "o.id")} AND a.outcome = 'accepted'
WHERE o.status <> 'sent' ORDER BY given.id, a.fence
"""

#: A row in one of these is settled by evidence of any of its attempts, though it may have been given up; while it is
#: sent by another attempt, it is too late.
NOT_SENT: Final = (
    RowStatus.UNKNOWN,
    RowStatus.REVIEW,
    RowStatus.PENDING,
    RowStatus.SENDING,
    RowStatus.FAILED,
    RowStatus.SKIPPED,
    RowStatus.CANCELLED,
)

#: A row that ends so was accepted as it is.
PROVEN_ITSELF: Final = (RowStatus.SENT, RowStatus.DONE)

SAYS: Final = {"callback": "proven by a callback", "late_word": "accepted, as its worker told late"}


@dataclass(frozen=True, slots=True)
class Evidence:
    """An attempt that a provider says it accepted."""

    workspace_id: int
    row_id: int
    fence: int
    """Of the claim under which the attempt was made."""
    provider_id: str
    proof: Literal["callback", "late_word"] = "callback"
    """What proves it."""

    @property
    def says(self) -> str:
        """What is written down of it."""
        return SAYS[self.proof]


def accept_evidence(session: Session, clock: SequenceClock, evidence: Evidence) -> list[Due]:
    """Settle the row that the evidence is about, if it is not sent yet; give the wake-ups that follow.

    Evidence for a row that was sent by another attempt is a duplicate: it is kept, counted and logged.
    """
    row = session.execute(ROW, {"row": evidence.row_id, "workspace": evidence.workspace_id}, binary=True).fetchone()
    if row is None and is_archived(session, evidence.row_id):
        log.warning("evidence for an archived row: written down, and nothing changes", row=evidence.row_id)
        return []
    if row is None:
        log.error("evidence for a row that is not there: was the database restored?", row=evidence.row_id)
        return []
    status, fence, provider_id, accepted_fence = row
    if status == RowStatus.SENT and (provider_id, accepted_fence) == (evidence.provider_id, evidence.fence):
        return []
    known = note_acceptance(session, evidence.row_id, evidence.fence, evidence.provider_id, evidence.says)
    if status == RowStatus.SENT and provider_id == evidence.provider_id:
        return []
    own = status == RowStatus.SENDING and fence == evidence.fence and known
    other = status == RowStatus.SENDING and not own and _begun(session, evidence.row_id, fence)
    if not known:
        note_forgotten(session, evidence.row_id, evidence.fence, evidence.provider_id, evidence.says)
    if not other and status in NOT_SENT:
        if not known and status in (RowStatus.PENDING, RowStatus.SENDING):
            log.error("the database has forgotten an attempt: it was restored from a backup", row=evidence.row_id)
            set_back(session)
        RECOVERED.labels(evidence.proof).inc(not own)
        resolution = Resolution(evidence.row_id, fence, RowStatus.SENT, evidence.says, evidence.provider_id)
        return resolve(session, clock, [resolution]).wakeups
    if status == RowStatus.SENT and provider_id is None:  # an operator knew it
        session.execute(NAME, {"row": evidence.row_id, "provider_id": evidence.provider_id}, binary=True)
    elif status in (RowStatus.SENDING, RowStatus.SENT):
        DUPLICATES_DETECTED.inc()
        log.error("duplicate detected: the provider accepted two attempts", row=evidence.row_id, fence=evidence.fence)
    return []


def accept_late_words(
    session: Session, clock: SequenceClock, endings: Sequence[Ending], settled: Sequence[Settled]
) -> list[Due]:
    """Take the word of workers from whom rows were taken before they could settle them; give the wake-ups that follow.

    Their fence has moved on, so they move no row (engine/outbox/settle.py); that the provider accepted is true all the
    same, and nobody is to be asked, or sent it again, for want of it.
    """
    if len(settled) == len(endings):
        return []
    last = {ending.id: ending.fence for ending in sorted(endings, key=lambda ending: ending.fence)}
    moved = {(row.id, last[row.id]) for row in settled}  # a worker may tell of two claims of a row together
    accepted = [
        one
        for one in endings
        if one.outcome == AttemptOutcome.ACCEPTED
        and one.status is not RowStatus.DONE  # a call that may be repeated
        and (one.id, one.fence) not in moved
    ]
    if not accepted:
        return []
    rows = session.execute(
        LATE,
        {
            "ids": [ending.id for ending in accepted],
            "fences": [ending.fence for ending in accepted],
            "provider_ids": [ending.provider_id or "" for ending in accepted],
        },
        binary=True,
    )
    late = [Evidence(workspace, row_id, fence, sid, "late_word") for workspace, row_id, fence, sid in rows]
    return [due for evidence in late for due in accept_evidence(session, clock, evidence)]


def settle_proven(session: Session, clock: SequenceClock, endings: Sequence[Ending]) -> list[Due]:
    """Settle rows whose last attempt was not accepted, though an earlier one has been proven while it was made."""
    again = [ending.id for ending in endings if ending.fence > 1 and ending.status not in PROVEN_ITSELF]
    rows = session.execute(PROVEN, {"ids": again}, binary=True).fetchall() if again else []
    resolutions = [
        Resolution(row_id, fence, RowStatus.SENT, "an earlier attempt was accepted", provider_id)
        for row_id, fence, provider_id in rows
    ]
    return resolve(session, clock, resolutions).wakeups if resolutions else []


def _begun(session: Session, row_id: int, fence: int) -> bool:
    """Whether the row's claim has an attempt; one that is being begun holds the row's lock, and was waited for."""
    return session.execute(BEGUN, {"row": row_id, "fence": fence}, binary=True).fetchone() is not None
