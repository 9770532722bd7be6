"""Where the templates are in what an action tells the world outside."""

from collections.abc import Iterator
from typing import Any

from schema.definition.document import Path


def outward_templates(step: dict[str, Any], path: Path) -> Iterator[tuple[str, Path, str]]:
    """The templates of a webhook and of a notification, each with its name and place."""
    if step["type"] != "action":
        return
    match step.get("notify"):
        case dict() as notify:
            for name in ("subject", "text"):
                if isinstance(notify.get(name), str):
                    yield name, (*path, "notify", name), notify[name]
    match step.get("webhook"):
        case dict() as webhook:
            yield from _within(webhook.get("body"), "webhook.body", (*path, "webhook", "body"))


def _within(value: Any, name: str, path: Path) -> Iterator[tuple[str, Path, str]]:
    match value:
        case str():
            yield name, path, value
        case dict():
            for key, item in value.items():
                yield from _within(item, f"{name}.{key}", (*path, key))
        case list():
            for number, item in enumerate(value):
                yield from _within(item, name, (*path, number))
