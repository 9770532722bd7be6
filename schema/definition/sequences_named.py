"""The other sequences that a sequence file names: in its actions and its questions."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

from schema.definition.document import Document, Path, read_document
from schema.definition.problem import Problem, did_you_mean, quoted

#: The fields that name a sequence, and what happens at run time if it does not exist.
CONSEQUENCES: Final = {
    "enroll_in": "nobody is enrolled, and the step fails",
    "exit_from": "nobody leaves anything",
    "enrolled_in": "the answer is always no",
}

#: Keys whose values are the sequence's own: what is below them names no sequence.
OPAQUE: Final = frozenset({"set", "webhook", "notify", "headers", "attribute", "outcome"})


@dataclass(frozen=True, slots=True)
class Named:
    """A place of a file that names a sequence."""

    field: str
    key: str
    path: Path


def unknown_sequences(text: str, known: Collection[str]) -> list[Problem]:
    """Return a problem for each place of a valid file that names a sequence which is not `known`, in line order."""
    document = read_document(text)
    for one in _named(document):
        if one.key not in known:
            document.report(
                one.path,
                f"'{one.field}': there is no sequence {quoted(one.key)}{did_you_mean(one.key, known)}: until there is,"
                f" {CONSEQUENCES[one.field]}; correct the key, or apply that sequence too",
            )
    return sorted(document.problems(), key=lambda problem: problem.line or 0)


def _named(document: Document) -> Iterator[Named]:
    for name in ("steps", "goal"):
        yield from _below(document.data.get(name), (name,))


def _below(value: Any, path: Path) -> Iterator[Named]:
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _below(item, (*path, number))
    elif isinstance(value, dict):
        for name, item in value.items():
            if name in CONSEQUENCES and isinstance(item, str):
                yield Named(name, item, (*path, name))
            elif name not in OPAQUE:
                yield from _below(item, (*path, name))
