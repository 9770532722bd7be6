"""A provider's callback proves that an attempt was accepted, whatever the worker knew (its token names the attempt)."""

from dataclasses import dataclass
from typing import Final

import structlog

from engine.clock import SequenceClock
from engine.database import Session
from engine.metrics import DUPLICATES_DETECTED, RECOVERED
from engine.outbox.resolve import Resolution, note_acceptance, resolve
from engine.wakeups import Due
from schema.states import RowStatus

log = structlog.get_logger(__name__)

ROW: Final = """
SELECT status, fence, provider_id FROM outbox WHERE id = %(row)b AND workspace_id = %(workspace)b FOR UPDATE
"""

#: A row in one of these is settled by evidence of any of its attempts; `sending` only by that of the attempt itself.
IN_DOUBT: Final = (RowStatus.UNKNOWN, RowStatus.REVIEW, RowStatus.PENDING)


@dataclass(frozen=True, slots=True)
class Evidence:
    """An attempt that a provider says it accepted."""

    workspace_id: int
    row_id: int
    fence: int
    """Of the claim under which the attempt was made."""
    provider_id: str


def accept_evidence(session: Session, clock: SequenceClock, evidence: Evidence) -> list[Due]:
    """Settle the row that the evidence is about, if it still is in doubt; give the wake-ups that follow.

    Evidence for a row that was sent by another attempt is a duplicate: it is kept, counted and logged.
    """
    row = session.execute(ROW, {"row": evidence.row_id, "workspace": evidence.workspace_id}, binary=True).fetchone()
    if row is None or not note_acceptance(
        session, evidence.row_id, evidence.fence, evidence.provider_id, "proven by a callback"
    ):
        return []
    status, fence, provider_id = row
    same_attempt = status == RowStatus.SENDING and fence == evidence.fence
    if status in IN_DOUBT or same_attempt:
        resolution = Resolution(
            evidence.row_id,
            RowStatus(status),
            fence,
            RowStatus.SENT,
            "proven by a callback",
            evidence.provider_id,
        )
        RECOVERED.labels("callback").inc(status in IN_DOUBT)
        return resolve(session, clock, [resolution]).wakeups
    if (status == RowStatus.SENT and provider_id != evidence.provider_id) or status == RowStatus.SENDING:
        DUPLICATES_DETECTED.inc()
        log.error("duplicate detected: the provider accepted two attempts", row=evidence.row_id, fence=evidence.fence)
    return []
