"""A published sequence as the file that makes it: what its steps took from templates is left to the templates."""

from collections.abc import Mapping
from typing import Any

from schema.definition.definition import Definition
from schema.definition.library import TOGETHER, Library, steps_within
from schema.definition.steps import OPTIONAL, AnyStep
from schema.definition.writing import to_data


def to_file_data(definition: Definition, library: Library) -> dict[str, Any]:
    """Return the data of a file that makes this very definition with the library.

    Steps whose template is deleted are complete, and refer to none.
    """
    data = to_data(definition)
    models = {step.key: step for step in definition.walk()}
    for _, step in steps_within(data["steps"], ("steps",)):
        reference = step.get("template")
        if reference is None:
            continue
        found = library.find(reference["key"], reference["version"])
        if found is None:
            del step["template"]
        else:
            _leave_out(step, found.content, models[step["key"]])
    return data


def _leave_out(step: dict[str, Any], content: Mapping[str, Any], model: AnyStep) -> None:
    """Leave out what the step takes from the template; write down defaults that the step put in its place."""
    full = model.model_dump(mode="json", by_alias=True)
    apart = any(step.get(name) != content.get(name) for name in TOGETHER)
    for name, value in content.items():
        if name in TOGETHER and apart:
            continue
        if step.get(name) == value:
            del step[name]
        elif name not in step:
            step[name] = full.get(name, OPTIONAL.get(name))
