"""YAML, and so JSON, as nodes that know their lines, within bounds."""

import json
from typing import Final

import yaml

from schema.definition.problem import InvalidDefinition, Problem

#: What a file may be at most; far beyond 200 steps, and it bounds the work.
MAX_BYTES: Final = 1 << 20
MAX_NODES: Final = 20_000
MAX_DEPTH: Final = 20

ALIASES: Final = (
    "anchors and aliases (& and *) are not supported, since a short file could then stand for a huge one: write it out"
)


class _Loader(yaml.SafeLoader):
    """Composes without aliases, and within bounds."""

    depth = 0
    count = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise InvalidDefinition([Problem(line, None, ALIASES)])
        self.depth += 1
        self.count += 1
        if self.depth > MAX_DEPTH or self.count > MAX_NODES:
            raise InvalidDefinition([Problem(line, None, "this is nested too deep, or too much, for a sequence file")])
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def compose(text: str) -> yaml.Node | None:
    """The root node of a text; None if it has none.

    Raises:
        InvalidDefinition: it isn't YAML, or is more than a sequence file can be.
    """
    if len(text.encode(errors="replace")) > MAX_BYTES:
        raise InvalidDefinition([Problem(None, None, f"the file is larger than {MAX_BYTES >> 20} MiB")])
    try:
        loader = _Loader(_without_json_tabs(text))
        try:
            return loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        message = f"the character U+{ord(text[error.position]):04X} is not allowed here: leave it out"
        raise InvalidDefinition([Problem(line, None, message)]) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join((f"{error.problem} ({error.context})" if error.context else str(error.problem)).split())
        if "'\\t'" in what:
            what = "a tab can't indent YAML: use spaces"
        elif "expected a single document" in what:
            what = "a second document starts here (---): put one sequence in each file"
        raise InvalidDefinition([Problem(mark.line + 1 if mark else None, None, f"not valid YAML: {what}")]) from None


def _without_json_tabs(text: str) -> str:
    """JSON may be indented by tabs, YAML may not; in JSON, texts hold none."""
    if "\t" not in text or not text.lstrip("\ufeff \t\r\n").startswith("{"):
        return text
    try:
        json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return text
    return text.replace("\t", " ")
