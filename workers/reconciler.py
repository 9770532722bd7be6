"""The reconciler: resolves rows in doubt by asking the provider. In every worker, with one leader at a time."""

from collections.abc import Mapping
from threading import Event
from typing import Final

import structlog

from engine.clock import SequenceClock
from engine.database import Database, Session
from engine.metrics import RECOVERED
from engine.outbox.doubt import Doubtful, doubtful, note_look, rivals_of, taken_ids
from engine.outbox.resolve import Resolution, note_acceptance, resolve
from engine.rules.doubt import Decision, Sighting, decide_by_answer, decide_email, decide_sms
from engine.settings import Settings
from engine.wakeups import Due, Wakeups
from schema.states import RowStatus
from workers.channels.channel import Channel, LookUpFailed, Sms
from workers.delivery.known import Known
from workers.leader import leading

log = structlog.get_logger(__name__)

#: The advisory lock whose holder reconciles.
LOCK: Final = 4_207_003

#: The longest real seconds between two looks for rows in doubt.
LONGEST_NAP: Final = 5.0


class Reconciler:
    """Leads when nobody else does; then looks up one row in doubt after another."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        wakeups: Wakeups,
        clock: SequenceClock,
        channels: Mapping[str, Channel],
        known: Known,
    ) -> None:
        """Prepare."""
        self._settings = settings
        self._database = database
        self._wakeups = wakeups
        self._clock = clock
        self._channels = channels
        self._known = known

    def turn(self, stop: Event) -> float:
        """Try to become the leader, and lead until told to stop or until the connection is lost."""
        nap = min(LONGEST_NAP, self._settings.reconcile_interval_seconds)
        with self._database.connect() as session:
            if leading(session, LOCK):
                while not stop.is_set():
                    if not self.reconcile(stop):
                        stop.wait(nap)
                    session.execute("SELECT 1")
        return nap

    def reconcile(self, stop: Event) -> int:
        """Look after the rows that are due for it; tell how many."""
        settings = self._settings
        with self._database.transaction() as session:
            rows = doubtful(
                session,
                list(self._channels),
                settings.reconcile_grace_seconds,
                settings.reconcile_interval_seconds,
            )
        for row in rows:
            if stop.is_set():
                break
            self._wakeups.schedule(self._look_after(row))
        return len(rows)

    def _look_after(self, row: Doubtful) -> list[Due]:
        """Decide, and write the decision down; give the wake-ups that follow."""
        if (known := decide_by_answer(row.outcome, row.detail)) is not None:
            return self._write(row, known, looked=False)
        if row.channel == "email":
            guarantee = self._known.tenant(row.workspace_id).smtp_guarantee or self._settings.smtp_guarantee
            return self._write(row, decide_email(guarantee, row.unanswered), looked=False)
        try:
            found = self._channels[row.channel].look_up(_message(row), row.started_at)
        except LookUpFailed as failure:
            log.warning("look-up failed", row=row.id, enrollment=row.enrollment_id, error=str(failure))
            if failure.for_good:
                return self._write(row, Decision(RowStatus.REVIEW, f"can't be looked up: {failure}"), looked=True)
            return self._write(row, Decision(None, str(failure)), looked=True)
        with self._database.transaction() as session:
            taken = taken_ids(session, row, list(found.provider_ids))
            rivals = rivals_of(session, row)
        mine = Sighting(tuple(one for one in found.provider_ids if one not in taken), found.unclear)
        decision = decide_sms(mine, row.looks, rivals)
        empty = decision.status is None or decision.status is RowStatus.PENDING
        return self._write(row, decision, looked=True, empty=empty)

    def _write(self, row: Doubtful, decision: Decision, *, looked: bool, empty: bool = False) -> list[Due]:
        with self._database.transaction() as session:
            if looked:
                note_look(session, row, empty=empty)
            if decision.status is None:
                return []
            wakeups = self._settle(session, row, decision)
        log.info(
            "row in doubt resolved",
            row=row.id,
            enrollment=row.enrollment_id,
            workspace=row.workspace_id,
            status=decision.status.value,
            reason=decision.reason,
        )
        RECOVERED.labels(f"reconciled_{decision.status.value}").inc()
        return wakeups

    def _settle(self, session: Session, row: Doubtful, decision: Decision) -> list[Due]:
        assert decision.status is not None  # noqa: S101 (the caller asked)
        if decision.status is RowStatus.SENT:
            note_acceptance(session, row.id, row.attempt_fence, decision.provider_id, decision.reason)
        resolution = Resolution(
            row.id, RowStatus.UNKNOWN, row.fence, decision.status, decision.reason, decision.provider_id
        )
        return resolve(session, self._clock, [resolution]).wakeups


def _message(row: Doubtful) -> Sms:
    return Sms(row.recipient, row.payload["body"], tuple(row.payload["media_urls"]))
