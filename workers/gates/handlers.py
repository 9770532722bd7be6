"""The handler of each type of step that is not a message."""

from collections.abc import Mapping

from engine.settings import Settings
from schema.states import TASK_TYPES
from workers.delivery.known import Known
from workers.delivery.values import Values
from workers.gates.actions import perform
from workers.gates.facing import Handler
from workers.gates.questions import settle_question
from workers.gates.tasks import TaskHandler
from workers.gates.variants import take_variant


def handlers(settings: Settings, known: Known) -> Mapping[str, Handler]:
    """All of them, by the types of steps."""
    task = TaskHandler(known, Values(settings))
    return {
        **dict.fromkeys(TASK_TYPES, task),
        "condition": settle_question,
        "wait": settle_question,
        "action": perform,
        "variants": take_variant,
    }
