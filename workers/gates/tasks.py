"""A human task that is due becomes active: from now on it waits for a person."""

from functools import partial

import structlog

from engine.outbox.tasks import NewTask, open_task
from engine.rules.rendering import Renderer, RenderError, clean_header, clean_text
from schema.definition import TaskStep
from workers.delivery.known import Known
from workers.delivery.values import Values
from workers.gates.facing import Decision, Facing

log = structlog.get_logger(__name__)

MAX_ASSIGNEE = 200


class TaskHandler:
    """Opens tasks."""

    def __init__(self, known: Known, values: Values) -> None:
        """Prepare."""
        self._known = known
        self._values = values
        self._renderer = Renderer()

    def __call__(self, facing: Facing) -> Decision:
        """Open the task; what can't be rendered is left out, and the log says why: a person can do without it."""
        row, version = facing.row, facing.version
        step = version.steps[row.step_key]
        if not isinstance(step, TaskStep):
            raise TypeError(f"step {step.key} is no task")
        render = partial(self._rendered, facing)
        assignee = render(step.assignee) or render(version.definition.assignee)
        open_task(
            facing.session,
            NewTask(
                workspace_id=row.workspace_id,
                enrollment_id=row.enrollment_id,
                outbox_id=row.id,
                type=step.type,
                name=step.name or step.key,
                description=clean_text(render(step.description)) or None,
                priority=step.priority.value,
                assignee=clean_header(assignee)[:MAX_ASSIGNEE] or None,
            ),
        )
        return Decision()

    def _rendered(self, facing: Facing, source: str | None) -> str:
        if source is None:
            return ""
        row = facing.row
        try:
            values = self._values(row, facing.version, self._known.tenant(row.workspace_id))
            return self._renderer.render(source, values).strip()
        except RenderError as error:
            log.warning("a task is opened without a part of it", row=row.id, step=row.step_key, error=str(error))
            return ""
