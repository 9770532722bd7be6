"""A provider's word that it accepted an attempt settles the row: a callback, or an answer that came late."""

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
SELECT status, fence, provider_id FROM outbox
WHERE id = %(row)b AND workspace_id = coalesce(%(workspace)b::bigint, workspace_id) FOR UPDATE
"""

#: Settled by evidence of any of its attempts. One that is being sent is not handed over any more unless that has
#: happened (its fence moves), and one that had been given up was accepted all the same.
NOT_SENT: Final = (
    RowStatus.PENDING,
    RowStatus.SENDING,
    RowStatus.UNKNOWN,
    RowStatus.REVIEW,
    RowStatus.FAILED,
    RowStatus.SKIPPED,
    RowStatus.CANCELLED,
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """An attempt that a provider says it accepted."""

    workspace_id: int | None
    """None: it comes from ourselves, not from outside."""
    row_id: int
    fence: int
    """Of the claim under which the attempt was made."""
    provider_id: str
    source: str = "callback"
    """For the metric."""
    says: str = "proven by a callback"


def late_answer(row_id: int, fence: int, provider_id: str) -> Evidence:
    """What a worker heard of an attempt after its row had been taken away."""
    return Evidence(None, row_id, fence, provider_id, "late_answer", "accepted, as a late answer says")


def accept_evidence(session: Session, clock: SequenceClock, evidence: Evidence) -> list[Due]:
    """Settle the row that the evidence is about, if it is not sent yet; give the wake-ups that follow.

    Evidence for a row that was sent by another attempt is a duplicate: it is kept, counted and logged.
    """
    row = session.execute(ROW, {"row": evidence.row_id, "workspace": evidence.workspace_id}, binary=True).fetchone()
    if row is None or not note_acceptance(
        session, evidence.row_id, evidence.fence, evidence.provider_id, evidence.says
    ):
        return []
    status, fence, provider_id = row
    if status in NOT_SENT:
        RECOVERED.labels(evidence.source).inc(status != RowStatus.SENDING)
        resolution = Resolution(
            evidence.row_id, RowStatus(status), fence, RowStatus.SENT, evidence.says, evidence.provider_id
        )
        return resolve(session, clock, [resolution]).wakeups
    if provider_id != evidence.provider_id:
        DUPLICATES_DETECTED.inc()
        log.error("duplicate detected: the provider accepted two attempts", row=evidence.row_id, fence=evidence.fence)
    return []
