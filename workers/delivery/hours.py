"""Whether a claimed row may go out at this time of day; if not, when. The rules are those by which it was planned."""

from datetime import datetime
from typing import Final

from engine.clock import SequenceClock, from_epoch
from engine.outbox.claim import Claimed
from engine.outbox.postpone import Postponed
from engine.rules.calendar import Due, calendar_of, due, next_open, whereabouts
from engine.rules.calendar.due import date_of, next_occasion
from engine.rules.calendar.whereabouts import may_be_quiet
from engine.rules.ending import TOO_LATE
from schema.definition import AnyStep
from workers.delivery.known import Tenant, Version

AT_ANY_TIME: Final = (None, "off")


class OpeningHours:
    """Looks at the calendar when a row is claimed: a late row never goes out at night."""

    def __init__(self, clock: SequenceClock) -> None:
        """Go by this clock."""
        self._clock = clock

    def look(
        self, row: Claimed, step: AnyStep, version: Version, tenant: Tenant, lateness: float
    ) -> Postponed | str | None:
        """When the row goes out instead of now, or why it never does; None: it may go.

        What is later than its limit is told of here alone: it is skipped, shifted or, if the step says so, sent.
        """
        too_late = lateness > step.max_lateness.total_seconds() and step.if_late != "send"
        if too_late and step.if_late == "skip":
            return TOO_LATE
        if not too_late and not _has_hours(step, version, tenant):
            return None
        now = from_epoch(self._clock.now())
        later = self._later(row, step, version, tenant, now, shift=too_late)
        if later.moment is None:
            return later.reasons[-1]
        if later.moment <= now:
            return None
        reason = "; ".join(later.reasons)
        return Postponed(row.id, row.fence, row.enrollment_id, row.step_order, row.due_at, later.moment, reason)

    def _later(
        self, row: Claimed, step: AnyStep, version: Version, tenant: Tenant, now: datetime, *, shift: bool
    ) -> Due:
        """The time from now on at which it may go out, and why it is that."""
        attributes = {**row.attributes, **(row.data or {})}
        where = whereabouts(row.timezone, row.phone, tenant.hours, attributes)
        calendar = calendar_of(step, version.definition, where)
        if shift:
            return next_occasion(step, from_epoch(row.due_at), now, calendar)
        if (anchor := step.before or step.after) is not None:
            planned = due(step, ended=now, started=now, attributes=attributes, calendar=calendar)
            if planned.moment is not None or date_of(attributes.get(anchor.attribute), calendar) is None:
                return planned
        opening = next_open(now, calendar)
        return Due(opening.moment, opening.reasons)


def _has_hours(step: AnyStep, version: Version, tenant: Tenant) -> bool:
    """Whether there are times at which the step may not go out, or its date may have changed."""
    definition = version.definition
    window = definition.window if step.window is None else step.window
    return (
        window not in AT_ANY_TIME
        or may_be_quiet(step, definition, tenant.hours)
        or step.before is not None
        or step.after is not None
    )
