"""People who work on tasks, and what they see."""

from typing import Any

from stage_site import Site, wait_for

from producers.tasks import acts
from producers.tasks.listing import Wanted, tasks
from schema.states import TaskState


def act(site: Site, name: str, enrollment: int, key: str, *arguments: Any, **options: Any) -> acts.Acted:
    """What somebody does with a task, its wake-ups scheduled."""
    with site.world.database.transaction() as session:
        acted: acts.Acted = getattr(acts, name)(session, 1, enrollment, key, *arguments, **options)
    site.wakeups.schedule(acted.wakeups)
    return acted


def states(site: Site, enrollment: int) -> dict[str, str]:
    """The states of an enrollment's tasks, as people see them."""
    with site.world.database.transaction() as session:
        found = tasks(session, 1, tuple(TaskState), Wanted(enrollment_id=enrollment))
    return {task.step: task.state.value for task in found}


def until_step(site: Site, key: str, status: str, enrollment: int | None = None) -> None:
    """Wait until a step has a status."""
    where = f"step_key = '{key}'" + (f" AND enrollment_id = {enrollment}" if enrollment else "")
    wait_for(
        lambda: {found for (found,) in site.world.rows("status", where)} == {status},
        lambda: (key, status, site.world.rows()),
    )


def due(site: Site, key: str, enrollment: int | None = None) -> float | None:
    """When a step is due, in sequence seconds since the enrollment began."""
    where = f"o.step_key = '{key}'" + (f" AND e.id = {enrollment}" if enrollment else "")
    ((seconds,),) = site.world.query(
        "SELECT date_part('epoch', o.due_at - e.enrolled_at) FROM outbox o JOIN enrollments e"
        f" ON e.id = o.enrollment_id WHERE {where}"
    )
    return seconds
