"""The text of a sequence file as plain data that remembers its lines. YAML, and so JSON."""

import re
from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import yaml

from schema.definition.problem import InvalidDefinition, Problem, quoted
from schema.definition.yaml_nodes import compose

Path: TypeAlias = tuple[str | int, ...]

#: The keys of lists of steps.
STEP_LISTS: Final = ("steps", "then", "else")

_TAG: Final = "tag:yaml.org,2002:"
_KINDS: Final = {
    "int": "a number",
    "float": "a number",
    "timestamp": "a date",
    "bool": "a yes-or-no",
    "null": "nothing",
}
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Unquoted:
    """A value that YAML takes for something other than text: `123`, `10:30`, `2026-01-01`."""

    written: str
    kind: str


@dataclass(slots=True)
class Document:
    """The data of a file, where each value stands, and what was found wrong with it so far."""

    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    """The line of each key or list item, from 1."""
    nodes: dict[Path, yaml.Node] = field(default_factory=dict)
    findings: list[tuple[Path, int | None, str]] = field(default_factory=list)

    keys: list[tuple[str, int | None]] = field(default_factory=list)
    """The keys of steps so far, and their lines."""
    incomplete: set[str] = field(default_factory=set)
    """The keys of steps whose template is not there: nobody knows what they take from it."""

    def report(self, path: Path, message: str, line: int | None = None) -> None:
        """Note that something is wrong at the path; on its line, if no other is given."""
        self.findings.append((path, line or self.line(path), message))

    def problems(self) -> list[Problem]:
        """What was found, with the steps named as people know them."""
        return [Problem(line, self._step(path), message) for path, line, message in self.findings]

    def line(self, path: Path) -> int | None:
        """The line of what stands at the path, or of the nearest thing around it."""
        return self.lines.get(_nearest(path, self.lines))

    def text_line(self, path: Path, line: int) -> int | None:
        """The line of the file on which a line of a text (from 1) stands, as well as YAML tells."""
        node = self.nodes.get(path)
        if isinstance(node, yaml.ScalarNode) and node.style == "|":
            return int(node.start_mark.line) + 1 + line
        return self.line(path)

    def written(self, path: Path) -> str:
        """What was written at the path, if it is one word, number or text; else what it is."""
        node = self.nodes.get(_nearest(path, self.nodes))
        if isinstance(node, yaml.ScalarNode):
            return quoted(str(node.value)) if node.value or node.style else "nothing"
        return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"

    def _step(self, path: Path) -> str | None:
        """The step in which the path leads, the innermost."""
        places = [
            end
            for end in range(1, len(path))
            if path[end - 1] in STEP_LISTS and isinstance(path[end], int) and path[0] == "steps"
        ]
        if not places:
            return None
        step = self.data
        for part in path[: places[-1] + 1]:
            step = step[part]
        key = step.get("key") if isinstance(step, dict) else None
        if isinstance(key, str) and key and len(key) < 64:
            return key
        return " ".join(f"{path[end - 1]} #{int(path[end]) + 1}" for end in places).removeprefix("steps ")


def _nearest(path: Path, known: Container[Path]) -> Path:
    while path and path not in known:
        path = path[:-1]
    return path


def read_document(text: str) -> Document:
    """Read a text; what can't be read right, but leaves the rest readable, is noted in the document.

    Raises:
        InvalidDefinition: it can't be read at all.
    """
    root = compose(text)
    if root is None:
        raise InvalidDefinition(
            [Problem(None, None, "the file is empty: expected a sequence, with the keys sequence and steps")]
        )
    document = Document()
    document.data = _value(root, (), document)
    return document


def _value(node: yaml.Node, path: Path, document: Document) -> Any:
    document.lines.setdefault(path, node.start_mark.line + 1)
    document.nodes[path] = node
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, document)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, number), document) for number, item in enumerate(node.value)]
    kind = node.tag.removeprefix(_TAG)
    if kind in ("str", "value", "merge"):
        return _text(node.value, path, document)
    if kind == "bool":
        return node.value.lower() in ("yes", "true", "on")
    if kind not in _KINDS:
        document.report(path, f"YAML tags such as {quoted(node.tag)} are not supported: write plain text")
    return Unquoted(node.value, _KINDS.get(kind, "not text"))


def _mapping(node: yaml.MappingNode, path: Path, document: Document) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            document.report(path, "a key must be a word", line)
            continue
        key = _text(str(key_node.value), path, document)
        if (*path, key) in document.lines:
            first = document.lines[(*path, key)]
            document.report((*path, key), f"{quoted(key)} is given twice; the first is on line {first}", line)
            continue
        document.lines[(*path, key)] = line
        if value_node.tag != _TAG + "null":
            mapping[key] = _value(value_node, (*path, key), document)
    return mapping


def _text(text: str, path: Path, document: Document) -> str:
    """Join the surrogate pairs that JSON's escapes write; refuse what no message or database can hold."""
    try:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        document.report(path, "half a surrogate pair (\\uD800 to \\uDFFF): write both halves")
        return text.encode(errors="replace").decode()
    if found := _CONTROL.search(text):
        document.report(path, f"the control character U+{ord(found[0]):04X} is not allowed in text")
    return text
