"""Sequences made from others: a copy under another key, and a new version with a step at another place."""

from typing import Any, Final

from engine.database import Session
from engine.errors import InvalidInput, NotFound
from producers.sequences import KEY, Published, find_sequence, publish
from producers.unknown import unknown
from schema.definition import Definition, InvalidDefinition, parse
from schema.definition.writing import to_yaml

VERSION: Final = "SELECT definition FROM sequence_versions WHERE sequence_id = %s AND number = %s"


#: Nobody publishes another version before the transaction ends.
LOCK: Final = "SELECT FROM sequences WHERE workspace_id = %s AND key = %s FOR NO KEY UPDATE"


def version_of(
    session: Session, workspace_id: int, key: str, number: int | None = None, *, lock: bool = False
) -> Definition:
    """A version of a sequence; None: the newest, with `lock` until the transaction ends.

    Raises:
        NotFound: there is no such sequence, or no such version.
    """
    if lock:
        session.execute(LOCK, (workspace_id, key))
    found = find_sequence(session, workspace_id, key)
    if number is None or number == found.number:
        return found.definition
    row = session.execute(VERSION, (found.sequence_id, number)).fetchone() if 0 < number < 2**31 else None
    if row is None:
        raise NotFound(f"sequence {key!r} has no version {number}: the newest is {found.number}")
    return Definition.restore(row[0])


def copy_of(definition: Definition, key: str, name: str | None) -> Definition:
    """The same steps under another key.

    Raises:
        InvalidInput: the key or the name can't be used, or the steps can't be those of that sequence.
    """
    if not KEY.fullmatch(key):
        raise InvalidInput(f"{key!r} is no key: lower-case letters, digits, - and _, at most 63")
    changed = definition.model_copy(update={"sequence": key, "name": name or f"{definition.name} (copy)"[:200]})
    return _checked(changed)


def publish_copy(session: Session, workspace_id: int, definition: Definition, *, by: str | None = None) -> Published:
    """Publish the first version of a sequence that is not there yet.

    Raises:
        InvalidInput: there is one of that key.
    """
    taken = "SELECT FROM sequences WHERE workspace_id = %s AND key = %s"
    if session.execute(taken, (workspace_id, definition.sequence)).fetchone() is not None:
        raise InvalidInput(f"there is a sequence {definition.sequence!r} already: choose another key")
    published = publish(session, workspace_id, definition, by=by)
    if published.number != 1:
        raise InvalidInput(f"there is a sequence {definition.sequence!r} since this moment: choose another key")
    return published


def reordered(definition: Definition, step: str, *, before: str | None = None, after: str | None = None) -> Definition:
    """The definition with a step before or after another one of the same branch, checked as a file is.

    Raises:
        NotFound: there is no such step.
        InvalidInput: the other is in another branch, or a step would refer to a later one.
    """
    target = before if before is not None else after
    if target is None or (before is not None and after is not None):
        raise InvalidInput("reorder: name the step that it is to come --before, or the one that it is to come --after")
    keys = [one.key for one in definition.walk()]
    for key in (step, target):
        if key not in keys:
            raise NotFound(unknown("step", key, keys, "the sequence has no steps"))
    if step == target:
        raise InvalidInput(f"reorder: step {step!r} can't come before or after itself")
    data = definition.canonical()
    if not _move(data["steps"], step, target, behind=after is not None):
        raise InvalidInput(f"reorder: {step!r} and {target!r} are in different branches; edit the file for that")
    return _checked(Definition.restore(data))


def _move(steps: list[dict[str, Any]], step: str, target: str, *, behind: bool) -> bool:
    """Move it in the list in which both are; False: there is none."""
    keys = [one["key"] for one in steps]
    if step in keys and target in keys:
        moved = steps.pop(keys.index(step))
        keys.remove(step)
        steps.insert(keys.index(target) + behind, moved)
        return True
    return any(_move(inner, step, target, behind=behind) for one in steps for inner in _lists_in(one))


def _lists_in(step: dict[str, Any]) -> list[list[dict[str, Any]]]:
    variants = step.get("variants", {}).values() if step["type"] == "variants" else ()
    return [step[name] for name in ("then", "else") if step.get(name)] + [
        variant["steps"] for variant in variants if variant.get("steps")
    ]


def _checked(definition: Definition) -> Definition:
    """Check it as a file with it is checked.

    Raises:
        InvalidInput: something is wrong with it.
    """
    try:
        return parse(to_yaml(definition))
    except InvalidDefinition as error:
        problems = "; ".join(str(problem) for problem in error.problems)
        raise InvalidInput(f"sequence {definition.sequence!r} would not be valid: {problems}") from None
