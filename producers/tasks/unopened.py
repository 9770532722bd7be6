"""What a task that is not active yet will be: its name, priority, assignee and script, from its step."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from engine.database import Session
from engine.outbox.advance import program_of
from engine.rules.program import Program
from engine.rules.rendering import Renderer, RenderError, clean_header, clean_text, variables
from schema.definition import TaskStep
from schema.states import Priority

CONTACT: Final = ("first_name", "last_name", "email", "phone", "external_id", "timezone")


@dataclass(frozen=True, slots=True)
class Unopened:
    """A task as it will be, by what is known of its contact now."""

    name: str
    priority: str = Priority.MEDIUM.value
    assignee: str | None = None
    description: str | None = None


class Steps:
    """The steps of sequence versions, each version read once."""

    def __init__(self, session: Session) -> None:
        """Read with this session."""
        self._session = session
        self._programs: dict[int, Program] = {}
        self._renderer = Renderer()

    def place_of(self, version_id: int, key: str) -> tuple[int, int] | None:
        """Return the number of a step, from 1, and how many there are; None: the version has no such step."""
        program = self._program(version_id)
        place = program.by_key.get(key)
        return None if place is None else (place.order, len(program.places))

    def unopened(self, version_id: int, key: str, contact: Mapping[str, Any], custom: Mapping[str, Any]) -> Unopened:
        """Return the task of a step; a step that only an older version has is known by its key alone."""
        program = self._program(version_id)
        place = program.by_key.get(key)
        if place is None:
            return Unopened(key)
        step, definition = place.step, program.definition
        if not isinstance(step, TaskStep) or definition is None:
            return Unopened(step.name or step.key)
        sequence = {"key": definition.sequence, "name": definition.name}
        values = variables({name: contact.get(name) for name in CONTACT}, custom, {}, sequence)
        assignee = self._rendered(step.assignee, values) or self._rendered(definition.assignee, values)
        return Unopened(
            step.name or step.key,
            step.priority.value,
            clean_header(assignee) or None,
            clean_text(self._rendered(step.description, values)) or None,
        )

    def _rendered(self, source: str | None, values: Mapping[str, Any]) -> str:
        """Return the text of a template; one that can't be rendered gives nothing, as when the task becomes active."""
        if source is None:
            return ""
        try:
            return self._renderer.render(source, values).strip()
        except RenderError:
            return ""

    def _program(self, version_id: int) -> Program:
        if version_id not in self._programs:
            self._programs[version_id] = program_of(self._session, version_id)
        return self._programs[version_id]
