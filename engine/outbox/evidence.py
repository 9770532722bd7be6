"""Evidence that an attempt was accepted: a provider's callback, whose token names it, or its worker's late word."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from engine.clock import SequenceClock
from engine.database import Session
from engine.metrics import DUPLICATES_DETECTED, RECOVERED
from engine.outbox.following import Settled
from engine.outbox.resolve import Resolution, note_acceptance, resolve
from engine.outbox.settle import Ending
from engine.wakeups import Due
from schema.states import RowStatus

log = structlog.get_logger(__name__)

ROW: Final = """
SELECT status, fence, provider_id FROM outbox
WHERE id = %(row)b AND workspace_id = coalesce(%(workspace)b, workspace_id) FOR UPDATE
"""

#: A row in one of these is settled by evidence of any of its attempts; `sending` only by that of the attempt itself.
IN_DOUBT: Final = (RowStatus.UNKNOWN, RowStatus.REVIEW, RowStatus.PENDING)

LATE_WORD: Final = "accepted, as its worker told late"


@dataclass(frozen=True, slots=True)
class Evidence:
    """An attempt that a provider says it accepted."""

    workspace_id: int | None
    """The only one whose row it can be about; None: it is ours, and names the row for certain."""
    row_id: int
    fence: int
    """Of the claim under which the attempt was made."""
    provider_id: str
    how: str = "proven by a callback"
    """Where it comes from."""


def accept_evidence(session: Session, clock: SequenceClock, evidence: Evidence) -> list[Due]:
    """Settle the row that the evidence is about, if it still is in doubt; give the wake-ups that follow.

    Evidence for a row that was sent by another attempt is a duplicate: it is kept, counted and logged.
    """
    row = session.execute(ROW, {"row": evidence.row_id, "workspace": evidence.workspace_id}, binary=True).fetchone()
    if row is None or not note_acceptance(session, evidence.row_id, evidence.fence, evidence.provider_id, evidence.how):
        return []
    status, fence, provider_id = row
    same_attempt = status == RowStatus.SENDING and fence == evidence.fence
    if status in IN_DOUBT or same_attempt:
        resolution = Resolution(evidence.row_id, fence, RowStatus.SENT, evidence.how, evidence.provider_id)
        RECOVERED.labels("late_word" if evidence.how == LATE_WORD else "callback").inc(status in IN_DOUBT)
        return resolve(session, clock, [resolution]).wakeups
    if (status == RowStatus.SENT and provider_id != evidence.provider_id) or status == RowStatus.SENDING:
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
    kept = {row.id for row in settled}
    return [
        due
        for ending in endings
        if ending.status is RowStatus.SENT and ending.provider_id is not None and ending.id not in kept
        for due in accept_evidence(
            session, clock, Evidence(None, ending.id, ending.fence, ending.provider_id, LATE_WORD)
        )
    ]
