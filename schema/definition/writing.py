"""A definition as the text of a sequence file: what `parse` reads as the same definition."""

from typing import Any, Final

import yaml

from schema.definition.definition import Definition
from schema.definition.duration import written
from schema.definition.steps import AnyStep

#: Values that the canonical form has in seconds.
DURATIONS: Final = ("delay", "after_start", "by", "within", "max_lateness", "after", "stale_after")

#: What is in these is people's own data.
DATA: Final = ("body", "set", "attribute", "metadata")


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as they are, and no anchors: the reader takes none."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def to_data(definition: Definition) -> dict[str, Any]:
    """The definition as JSON data that a file may have; what is as it is by default is left out."""
    data: dict[str, Any] = _readable(definition.model_dump(mode="json", by_alias=True, exclude_defaults=True))
    return data


def to_yaml(definition: Definition) -> str:
    """The text of a file with the definition; what is as it is by default is left out."""
    return yaml_of(to_data(definition))


def step_data(step: AnyStep) -> dict[str, Any]:
    """Return a step as JSON data that a file may have; what is as it is by default is left out."""
    data: dict[str, Any] = _readable(step.model_dump(mode="json", by_alias=True, exclude_defaults=True))
    return data


def yaml_of(data: dict[str, Any]) -> str:
    """Return the text of a file with this data."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def _readable(value: Any) -> Any:
    if isinstance(value, list):
        return [_readable(one) for one in value]
    if not isinstance(value, dict):
        return value
    first = {name: value[name] for name in ("key", "type") if name in value}
    return {name: _value(name, one) for name, one in {**first, **value}.items()}


def _value(name: str, value: Any) -> Any:
    if name in DATA:
        return value
    return written(value) if name in DURATIONS and type(value) is int else _readable(value)
