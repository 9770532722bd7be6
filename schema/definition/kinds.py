"""All kinds of steps."""

from typing import Annotated, Final, TypeAlias, get_args

from pydantic import Field

from schema.definition.steps import AnyStep, EmailStep, SmsStep
from schema.definition.tasks import TaskStep

Step: TypeAlias = Annotated[SmsStep | EmailStep | TaskStep, Field(discriminator="type")]

#: The model of each type of step.
MODELS: Final[dict[str, type[AnyStep]]] = {
    kind: model for model in (SmsStep, EmailStep, TaskStep) for kind in get_args(model.model_fields["type"].annotation)
}
