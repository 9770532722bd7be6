"""The library of a workspace, as steps refer to it: `template: KEY` takes what the step does not say itself.

What a step takes is written into the sequence's version, with the template's version beside it. So a version is
complete, and a newer template changes no sequence before it is applied again.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Protocol

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from schema.definition.document import Document, Path, Unquoted
from schema.definition.problem import did_you_mean, quoted

#: What a template of each type may say. Times, places and keys belong to the step.
MESSAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "email": (
        "name", "subject", "text", "html", "transactional", "from", "sender_name", "reply_to", "cc", "headers",
    ),
    "sms": ("name", "body", "media_url"),
}  # fmt: skip
TASKS: Final[Mapping[str, tuple[str, ...]]] = dict.fromkeys(
    ("call", "social_message", "internal_activity", "manual_sms", "manual_email"),
    ("name", "description", "priority", "assignee", "outcomes"),
)
CONTENT: Final[Mapping[str, tuple[str, ...]]] = {**MESSAGES, **TASKS}

#: Parts of one message: a step that says one of them takes none of them from the template.
TOGETHER: Final = ("text", "html")

TEMPLATE_EXPECTED: Final = "the key of a template of the workspace, or one version: {key: welcome, version: 2}"


#: For editors: a key, or one version.
TEMPLATE_SCHEMA: Final = WithJsonSchema(
    {
        "anyOf": [
            {"type": "string"},
            {
                "type": "object",
                "properties": {"key": {"type": "string"}, "version": {"type": "integer", "minimum": 1}},
                "required": ["key", "version"],
                "additionalProperties": False,
            },
        ]
    },
    mode="validation",
)

#: Stands for the content of a template that is not there, so that the rest of the step can be checked.
_MISSING: Final[Mapping[str, Mapping[str, str]]] = {"email": {"subject": "-", "text": "-"}, "sms": {"body": "-"}}
_LISTED: Final = 20


class TemplateRef(BaseModel):
    """The version of a template that a step was made from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    version: Annotated[int, Field(ge=1)]


@dataclass(frozen=True, slots=True)
class Template:
    """A version of a template."""

    key: str
    version: int
    type: str
    """Of the steps that it is for."""
    content: Mapping[str, Any]
    """Fields of a step, as a file has them."""


class Library(Protocol):
    """The templates of a workspace."""

    def find(self, key: str, version: int | None) -> Template | None:
        """Return a version of a template, None: the newest; None if there is none."""

    def keys(self) -> Collection[str]:
        """Return the keys of all templates."""


def refers_to_templates(document: Document) -> bool:
    """Return whether a step of the file takes something from the library."""
    return any("template" in step for _, step in _steps(document))


def resolve(document: Document, library: Library | None) -> None:
    """Write into each step what it takes from its template, and report what can't be taken.

    Without a library only references to one version are left as they are: the step is complete then.
    """
    for path, step in _steps(document):
        if "template" in step and step.get("type") in CONTENT:
            _resolve(step, (*path, "template"), document, library)


def taken(content: Mapping[str, Any], step: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a step takes from a template: what it does not say itself."""
    own = {*step, *(TOGETHER if any(name in step for name in TOGETHER) else ())}
    return {name: value for name, value in content.items() if name not in own}


def _resolve(step: dict[str, Any], path: Path, document: Document, library: Library | None) -> None:
    reference = _reference(step["template"])
    if reference is None:
        document.report(path, f"'template' can't be {document.written(path)}: expected {TEMPLATE_EXPECTED}")
    elif library is None:
        if reference[1] is not None:
            step["template"] = {"key": reference[0], "version": reference[1]}
            return
        document.report(path, "'template': only a workspace has templates: publish the file with `cadenza apply`")
    else:
        found = library.find(*reference)
        if found is None:
            document.report(path, _unknown(*reference, library))
        elif found.type != step["type"]:
            document.report(
                path,
                f"'template': {quoted(found.key)} is of type {found.type}, and this step of type {step['type']}:"
                " change the type, or choose another template",
            )
        else:
            step.update(taken(found.content, step))
            step["template"] = {"key": found.key, "version": found.version}
            return
    document.incomplete.add(str(step.get("key")))
    step.update(taken(_MISSING.get(step["type"], {}), step))
    step["template"] = {"key": "-", "version": 1}


def _reference(given: Any) -> tuple[str, int | None] | None:
    if isinstance(given, str) and given:
        return given, None
    if isinstance(given, dict) and given.keys() == {"key", "version"} and isinstance(given["key"], str):
        number = given["version"]
        if isinstance(number, Unquoted) and number.written.isascii() and number.written.isdigit():
            return given["key"], int(number.written)
    return None


def _unknown(key: str, version: int | None, library: Library) -> str:
    if version is not None and library.find(key, None) is not None:
        return f"'template': {quoted(key)} has no version {version}: write `template: {key}` for the newest"
    known = sorted(library.keys())
    more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    there_are = f"there are {', '.join(known[:_LISTED])}{more}" if known else "there is none yet"
    return (
        f"'template': there is no template {quoted(key)}{did_you_mean(key, known)}: {there_are};"
        " correct the key, or apply that template too"
    )


def _steps(document: Document) -> Iterator[tuple[Path, dict[str, Any]]]:
    if isinstance(document.data, dict):
        yield from steps_within(document.data.get("steps"), ("steps",))


def steps_within(steps: Any, place: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield all steps of what may be a list of them, those of branches and variants too."""
    for number, step in enumerate(steps if isinstance(steps, list) else ()):
        if not isinstance(step, dict):
            continue
        path: Path = (*place, number)
        yield path, step
        for name in ("then", "else"):
            yield from steps_within(step.get(name), (*path, name))
        variants = step.get("variants")
        for name, variant in variants.items() if isinstance(variants, dict) else ():
            if isinstance(variant, dict):
                yield from steps_within(variant.get("steps"), (*path, "variants", name, "steps"))
