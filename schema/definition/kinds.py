"""All kinds of steps."""

from typing import Annotated, Final, TypeAlias, get_args

from pydantic import Field

from schema.definition.actions import ActionStep
from schema.definition.gates import ConditionStep, WaitStep
from schema.definition.steps import AnyStep, EmailStep, SmsStep
from schema.definition.tasks import TaskStep
from schema.definition.variants import Variant, VariantsStep

Step: TypeAlias = Annotated[
    SmsStep | EmailStep | TaskStep | ConditionStep | WaitStep | ActionStep | VariantsStep, Field(discriminator="type")
]

ConditionStep.model_rebuild(_types_namespace={"Step": Step, "Variant": Variant})
Variant.model_rebuild(_types_namespace={"Step": Step})
VariantsStep.model_rebuild(_types_namespace={"Step": Step})

#: The model of each type of step.
MODELS: Final[dict[str, type[AnyStep]]] = {
    kind: model
    for model in (SmsStep, EmailStep, TaskStep, ConditionStep, WaitStep, ActionStep, VariantsStep)
    for kind in get_args(model.model_fields["type"].annotation)
}
