"""What is heard of contacts, as a provider or another system would tell it."""

from datetime import datetime, timedelta
from typing import Any

from stage_site import Site

from producers.signals import About, Heard, Taken, take_signal
from producers.workspaces import find_workspace
from schema.states import SignalKind


def hear(site: Site, kind: str, enrollment: int | None = None, step: str | None = None, **more: Any) -> Taken:
    """Tell an event, its wake-ups scheduled."""
    contact = {name: more.pop(name) for name in ("message", "email", "phone", "external_id") if name in more}
    heard = Heard(SignalKind(kind), About(enrollment_id=enrollment, step=step, **contact), **more)
    with site.world.database.transaction() as session:
        taken = take_signal(session, find_workspace(session, "default"), heard)
    site.wakeups.schedule(taken.wakeups)
    return taken


def moment(site: Site, key: str, enrollment: int, *, seconds: float = 0.0) -> datetime:
    """When a step of an enrollment is due, and so many seconds."""
    ((due_at,),) = site.world.query(
        "SELECT due_at FROM outbox WHERE step_key = %s AND enrollment_id = %s", key, enrollment
    )
    found: datetime = due_at
    return found + timedelta(seconds=seconds)
