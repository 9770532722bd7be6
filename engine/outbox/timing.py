"""When the steps of an enrollment fall due where its contact is now."""

from typing import Final

from engine.database import Session
from engine.outbox.hours import HOURS, hours_of
from engine.outbox.lookups import look_up
from engine.rules.calendar.whereabouts import whereabouts
from engine.rules.planner import Timing, after_delay
from engine.rules.planning import Contact, timing_by_calendar, uses_calendar, with_own_delays
from engine.rules.program import Program
from schema.definition import parse_delay

ENROLLMENT: Final = f"""
SELECT e.enrolled_at, e.own_delays, c.attributes || e.data, c.timezone, c.phone, {HOURS}
FROM enrollments e JOIN contacts c ON {look_up("c.id", "e.contact_id")}
JOIN workspaces w ON {look_up("w.id", "e.workspace_id")}
WHERE e.id = %(enrollment)b
"""


def timing_of(session: Session, enrollment_id: int, program: Program, *, told: bool = False) -> Timing:
    """How the planner is to tell when a step of this enrollment falls due; `told`: with the reasons of all times."""
    row = session.execute(ENROLLMENT, {"enrollment": enrollment_id}, binary=True).fetchone()
    if row is None:
        raise LookupError(f"enrollment {enrollment_id} has no contact")
    started, own, attributes, timezone, phone, *hours_read = row
    hours = hours_of(*hours_read)
    if program.definition is None or not (told or own or uses_calendar(program.definition, hours)):
        return after_delay
    contact = Contact(whereabouts(timezone, phone, hours, attributes), attributes)
    timing = timing_by_calendar(program.definition, contact, started)
    return with_own_delays(timing, {key: parse_delay(text) for key, text in own.items()}) if own else timing
