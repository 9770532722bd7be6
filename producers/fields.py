"""The values of a contact as they were given: trimmed, sorted into columns and attributes, fit to be stored."""

import json
import math
import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Final

#: Bytes of UTF-8 that one contact may take.
MAX_BYTES: Final = 64 * 1024

MAX_DEPTH: Final = 32

#: What templates call an attribute by; a file may do so too.
CUSTOM: Final = "custom."

CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")

#: Postgres stores neither in text or in JSON.
UNSTORABLE: Final = re.compile(r"[\x00\ud800-\udfff]")

#: White space and what can't be seen: byte-order marks, zero-width spaces, marks of writing direction.
_AROUND: Final = " \t\n\r\v\f\x1c\x1d\x1e\x1f\x85\xa0\u2007\u202f\u3000\u200b\u200e\u200f\u202a\u202c\u2060\ufeff"


class NotStorableError(ValueError):
    """A value can't be stored; the message names it, and says how to mend it."""


def sorted_out(fields: Mapping[str, object], columns: Collection[str]) -> tuple[dict[str, str], dict[str, object]]:
    """Give columns and attributes, without those that are empty.

    Raises:
        NotStorableError: a value is of a wrong type or can't be stored, or all together are too large.
    """
    given: dict[str, str] = {}
    attributes: dict[str, object] = {}
    characters, structured = 0, False
    for name, value in fields.items():
        if type(value) is str:
            value = _trimmed(name, value)
            characters += len(value)
        elif value is not None:
            value = _not_text(name, value, column=name in columns)
            structured = True
        if value is None or value == "":
            continue
        if name in columns:
            given[name] = str(value)
        else:
            attributes[_attribute(name)] = value
    if (structured or characters * 4 > MAX_BYTES) and _bytes(given) + _bytes(attributes) > MAX_BYTES:
        raise NotStorableError(f"the contact is larger than {MAX_BYTES // 1024} KiB: shorten its values")
    return given, attributes


def _trimmed(name: str, value: str) -> str:
    if value.isascii():
        if "\0" in value:
            raise NotStorableError(f"{name} contains a NUL character: remove it")
        return value.strip()
    if UNSTORABLE.search(value):
        raise NotStorableError(f"{name} contains a NUL character or half a surrogate pair: remove it")
    return value.strip(_AROUND)


@lru_cache(maxsize=4_096)
def _attribute(name: str) -> str:
    attribute = name.strip().removeprefix(CUSTOM)
    if not attribute:
        raise NotStorableError("an attribute has no name: give it one")
    if UNSTORABLE.search(attribute):
        raise NotStorableError(f"the name {attribute!r} contains a character that can't be stored: rename it")
    return attribute


def _not_text(name: str, value: object, *, column: bool) -> object:
    """A value that JSON can carry; as text for a column of ours."""
    if column and type(value) is not int:
        raise NotStorableError(f"{name} must be text, not {_json_type(value)}")
    try:
        _require_storable(value, MAX_DEPTH)
        json.dumps(value)
    except (TypeError, ValueError) as error:
        raise NotStorableError(f"{name} can't be stored: {error}") from None
    return value


def json_of(name: str, values: Mapping[str, object]) -> str:
    """Values as JSON that Postgres can keep.

    Raises:
        NotStorableError: they can't be stored, or are too large.
    """
    try:
        _require_storable(values, MAX_DEPTH)
        written = json.dumps(dict(values), ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise NotStorableError(f"{name} can't be stored: {error}") from None
    if len(written.encode()) > MAX_BYTES:
        raise NotStorableError(f"{name} is larger than {MAX_BYTES // 1024} KiB: shorten its values")
    return written


def _require_storable(value: object, depth: int) -> None:
    """Make sure that Postgres can keep it as JSON."""
    if depth == 0:
        raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, str):
        if UNSTORABLE.search(value):
            raise ValueError("it contains a NUL character or half a surrogate pair")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("it is not a finite number")
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            _require_storable(key, depth)
            _require_storable(inner, depth - 1)
    elif isinstance(value, list | tuple):
        for inner in value:
            _require_storable(inner, depth - 1)


def _json_type(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, float):
        return "a fraction"
    return "an object" if isinstance(value, Mapping) else "a list"


def _bytes(values: Mapping[str, object]) -> int:
    return len(json.dumps(values, ensure_ascii=False).encode())
