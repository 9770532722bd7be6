"""The columns of a file, and which of ours they are."""

import csv
import re
from collections.abc import Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Final

from engine.errors import InvalidInput
from producers.people import COLUMNS, KEYS

#: In the order of preference.
DELIMITERS: Final = ",;\t|"

_BETWEEN: Final = re.compile(r"[\s_\-]+")
_OURS: Final = {column.replace("_", ""): column for column in COLUMNS}

#: What other systems call our columns: to be suggested, not taken for granted.
_ALSO_CALLED: Final = {
    "email": ("mail", "email address", "email1", "work email", "contact email", "user email"),
    "phone": (
        "mobile",
        "mobile phone",
        "cell",
        "cell phone",
        "telephone",
        "tel",
        "phone number",
        "mobile number",
        "sms",
    ),
    "external_id": ("id", "contact id", "customer id", "user id", "lead id"),
}


@lru_cache(maxsize=4_096)
def canonical(name: str) -> str:
    """Our name for a column: `E-mail` is `email`, `First Name` is `first_name`; others keep theirs, trimmed."""
    name = name.strip()
    return _OURS.get(_squeezed(name), name)


def read_header(header: Sequence[str], where: str) -> list[str]:
    """The canonical names of the columns; empty ones at the end don't count.

    Raises:
        InvalidInput: a column has no name, or the name of another one.
    """
    names = [canonical(name) for name in header]
    while names and not names[-1]:
        names.pop()
    seen: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        if not name:
            raise InvalidInput(f"{where}: column {number} has no name: give it one in the header")
        if "\0" in name:
            raise InvalidInput(f"{where}: the name of column {number} contains a NUL character: rename it")
        attribute = name.removeprefix("custom.")
        if attribute in seen:
            raise InvalidInput(
                f"{where}: columns {seen[attribute]} and {number} are both {attribute!r}: rename or remove one"
            )
        seen[attribute] = number
    return names


def delimiter_of(header: str) -> str:
    """The delimiter that makes the most of the header: our columns first, then any columns."""

    def found(delimiter: str) -> tuple[int, int]:
        names = next(csv.reader([header], delimiter=delimiter, skipinitialspace=True), [])
        return sum(canonical(name) in COLUMNS for name in names), len(names)

    return max(DELIMITERS, key=found)


def require_columns(header: Sequence[str], needs: frozenset[str], sequence: str, where: str) -> None:
    """Make sure that a sequence can work with the columns of a file.

    Raises:
        InvalidInput: every line would be rejected, since a column is missing.
    """
    names = [canonical(name) for name in header]
    missing = sorted(needs - set(names))
    if not missing and any(key in names for key in KEYS):
        return
    what = " and ".join(missing) or "external_id, email or phone"
    found = ", ".join(name.strip() for name in header[:20]) + (", ..." if len(header) > 20 else "")
    problem = f"{where} has no column {what}, which sequence {sequence!r} needs; found: {found}"
    if any("@" in name for name in header):
        raise InvalidInput(f"{problem}. The first line must name the columns")
    suggestions = [hint for column in missing or KEYS if (hint := _suggestion(column, header))]
    raise InvalidInput("; ".join([problem, *suggestions]))


def _suggestion(column: str, header: Sequence[str]) -> str | None:
    candidates = {_squeezed(name): name.strip() for name in header}
    for other in _ALSO_CALLED[column]:
        if _squeezed(other) in candidates:
            return f"did you mean {candidates[_squeezed(other)]!r}? Rename it to {column}"
    close = get_close_matches(column, list(candidates), n=1)
    return f"did you mean {candidates[close[0]]!r}? Rename it to {column}" if close else None


def _squeezed(name: str) -> str:
    return _BETWEEN.sub("", name).lower()
