"""The reconciler: resolves rows in doubt by asking the provider. In every worker, with one leader at a time."""

from collections.abc import Callable, Mapping
from threading import Event
from typing import Final

import structlog

from engine.clock import WRONG_CLOCK, SequenceClock
from engine.database import GONE, Database, Session
from engine.errors import CadenzaError
from engine.metrics import MESSAGES, RECOVERED
from engine.outbox.dispatch import read_pulse
from engine.outbox.doubt import Doubtful, doubtful, note_look, open_attempts, taken_ids
from engine.outbox.resolve import Resolution, Resolved, note_acceptance, resolve
from engine.outbox.settle import Ending, bar_recipients
from engine.rules.answers import suppressed_by
from engine.rules.doubt import (
    Decision,
    decide_email,
    decide_late_word,
    decide_sms,
    decide_without_look_up,
    strangers,
)
from engine.settings import Settings
from engine.wakeups import Due, Wakeups, WakeupsUnavailable
from schema.definition.senders import Guarantee
from schema.states import RowStatus
from workers.channels.channel import Channel, LookUpFailed, Sms
from workers.delivery.known import Known
from workers.delivery.senders import guarantee_for
from workers.delivery.settler import OUTCOMES
from workers.leader import end_silent_leader, leading

log = structlog.get_logger(__name__)

#: The advisory lock whose holder reconciles.
LOCK: Final = 4_207_003

#: The longest real seconds between two looks for rows in doubt.
LONGEST_NAP: Final = 5.0

#: Real seconds of silence after which another process takes over, at least, and in time-outs of the provider: longer
#: than any look-up takes, page by page.
HANGS_SECONDS: Final = 30.0
HANGS_TIMEOUTS: Final = 8


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
        """Try to become the leader, and lead until told to stop, the connection is lost or the clocks differ."""
        nap = min(LONGEST_NAP, self._settings.reconcile_interval_seconds)
        hangs = max(HANGS_SECONDS, HANGS_TIMEOUTS * self._settings.provider_timeout)
        if self._clock.apart > WRONG_CLOCK:
            return nap
        with self._database.connect() as session:
            while not leading(session, LOCK):
                if end_silent_leader(session, LOCK, hangs):
                    log.error("the reconciler hangs: taking over")
                if stop.wait(nap) or self._clock.apart > WRONG_CLOCK:
                    return nap
            while not stop.is_set() and self._clock.apart <= WRONG_CLOCK:
                if not self.reconcile(stop, lambda: session.execute("SELECT 1")):
                    stop.wait(nap)
                session.execute("SELECT 1")
        return nap

    def reconcile(self, stop: Event, going_on: Callable[[], object] = lambda: None) -> int:
        """Look after the rows that are due for it; tell how many there were. `going_on` is called before each.

        When the provider can't be asked, the next ones are not to wait for its silence one by one: that is all for now.
        """
        settings = self._settings
        with self._database.transaction() as session:
            if not read_pulse(session).is_open:
                return 0  # the database may have been restored: a leader compares first
            rows = doubtful(
                session,
                [*self._channels, "action"],
                settings.reconcile_grace_seconds,
                settings.reconcile_interval_seconds,
            )
        for row in rows:
            if stop.is_set():
                break
            going_on()
            try:
                self._schedule(self._try(row))
            except LookUpFailed:
                break
        return len(rows)

    def _guarantee(self, row: Doubtful) -> Guarantee:
        tenant = self._known.tenant(row.workspace_id)
        if row.version_id is None:
            return tenant.smtp_guarantee or self._settings.smtp_guarantee
        version = self._known.version(row.version_id)
        return guarantee_for(version.steps.get(row.step_key), version.definition, tenant, self._settings)

    def _schedule(self, wakeups: list[Due]) -> None:
        try:
            self._wakeups.schedule(wakeups)
        except WakeupsUnavailable as error:
            log.warning("wake-ups not scheduled: the sweeper will make up for them", error=str(error))

    def _try(self, row: Doubtful) -> list[Due]:
        """Look after a row; one that can't be, for what it is, keeps no other waiting."""
        try:
            return self._look_after(row)
        except (LookUpFailed, CadenzaError, *GONE):
            raise
        except Exception:
            log.exception("a row in doubt could not be looked after", row=row.id, enrollment=row.enrollment_id)
            return self._write(row, Decision(None, "see the log"), looked=True)

    def _look_after(self, row: Doubtful) -> list[Due]:
        """Decide, and write the decision down; give the wake-ups that follow.

        Raises:
            LookUpFailed: the provider can't be asked for now.
        """
        if row.proven is not None:
            return self._write(row, Decision(RowStatus.SENT, "an attempt was accepted", row.proven), looked=False)
        if (known := decide_late_word(row.outcome)) is not None:
            return self._write(row, known, looked=False)
        if row.channel != "sms":
            return self._write(row, decide_email(self._guarantee(row), row.unanswered), looked=False)
        try:
            found = self._channels[row.channel].look_up(_message(row), row.started_at)
        except LookUpFailed as failure:
            log.warning("look-up failed", row=row.id, enrollment=row.enrollment_id, error=str(failure))
            wakeups = self._write(row, decide_without_look_up(str(failure), failure.for_good, row.age), looked=True)
            if failure.for_good:
                return wakeups
            self._schedule(wakeups)
            raise
        with self._database.transaction() as session:
            others = open_attempts(session, row)
            taken = taken_ids(session, row, [*found.provider_ids, *(other.provider_id for other in found.others)])
        if others.under_way:
            return self._write(row, Decision(None, "another message to the recipient is on its way"), looked=True)
        matches = [one for one in found.provider_ids if one not in taken]
        unexplained = strangers(found.others, taken, others.texts, row.ended_at)
        decision = decide_sms(matches, unexplained, row.looks, has_rivals=others.may_own(row.payload["body"]))
        empty = decision.status is None or decision.status is RowStatus.PENDING
        return self._write(
            row, decision, looked=True, empty=empty, code=found.error_codes.get(decision.provider_id or "")
        )

    def _write(
        self, row: Doubtful, decision: Decision, *, looked: bool, empty: bool = False, code: str | None = None
    ) -> list[Due]:
        """Write a decision down; `code`: the provider's, if it could not deliver the message that it accepted."""
        with self._database.transaction() as session:
            if looked:
                note_look(session, row, empty=empty)
            if decision.status is None:
                return []
            resolved = self._settle(session, row, decision)
            if row.id in resolved.ids:
                _bar(session, row, code)
        if row.id not in resolved.ids:
            return []
        log.info(
            "row in doubt resolved",
            row=row.id,
            enrollment=row.enrollment_id,
            workspace=row.workspace_id,
            status=decision.status.value,
            reason=decision.reason,
        )
        MESSAGES.labels(row.channel, OUTCOMES[decision.status]).inc()
        RECOVERED.labels(f"reconciled_{decision.status.value}").inc()
        return resolved.wakeups

    def _settle(self, session: Session, row: Doubtful, decision: Decision) -> Resolved:
        assert decision.status is not None  # noqa: S101 (the caller asked)
        if decision.status is RowStatus.SENT and row.proven is None:
            note_acceptance(session, row.id, row.attempt_fence, decision.provider_id, decision.reason)
        resolution = Resolution(row.id, row.fence, decision.status, decision.reason, decision.provider_id)
        return resolve(session, self._clock, [resolution])


def _bar(session: Session, row: Doubtful, code: str | None) -> None:
    """Suppress the number if the code says that nothing can be delivered to it, or that its owner has unsubscribed.

    A code that may pass is counted by callbacks alone: counted here too, one message would count twice.
    """
    if reason := suppressed_by(code):
        ending = Ending(row.id, row.attempt_fence, row.channel, RowStatus.SENT, error_code=code, suppress=reason)
        bar_recipients(session, [ending])


def _message(row: Doubtful) -> Sms:
    return Sms(row.recipient, row.payload["body"], tuple(row.payload["media_urls"]))
