"""What people note on a sequence for themselves: Cadenza keeps it and shows it, and does nothing with it."""

import math
import re
from typing import Annotated, Any, Final, TypeAlias

from pydantic import BeforeValidator, WithJsonSchema

from schema.definition.document import Unquoted

MAX_DESCRIPTION: Final = 2_000
MAX_ENTRIES: Final = 50
MAX_NAME: Final = 63
MAX_VALUE: Final = 500

DESCRIPTION_EXPECTED: Final = f"what it is for: text of 1 to {MAX_DESCRIPTION:,} characters"
METADATA_EXPECTED: Final = f"up to {MAX_ENTRIES} names with a text or a number each: {{team: sales, quarter: 3}}"

#: Numbers as JSON writes them: what YAML also takes for one (`007`, `1_000`, `10:30`) is text that needs quotes.
_NUMBER: Final = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d{1,17})?([eE][+-]?\d{1,2})?")


def _metadata(given: Any) -> dict[str, str | int | float]:
    if not isinstance(given, dict):
        raise ValueError(f"expected {METADATA_EXPECTED}")  # noqa: TRY004 (pydantic passes a TypeError on as a crash)
    if len(given) > MAX_ENTRIES:
        raise ValueError(f"it has {len(given)} names: at most {MAX_ENTRIES}")
    return {_name(name): _value(name, value) for name, value in given.items()}


def _name(name: str) -> str:
    if not 0 < len(name) <= MAX_NAME:
        raise ValueError(f"a name has 1 to {MAX_NAME} characters")
    return name


def _value(name: str, value: Any) -> str | int | float:
    if isinstance(value, Unquoted):
        if not _NUMBER.fullmatch(value.written):
            raise ValueError(f"{name!r}: YAML takes {value.written!r} for {value.kind}: write it in quotes")
        return float(value.written) if set(value.written) & set(".eE") else int(value.written)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{name!r}: expected a text or a number")  # noqa: TRY004 (as above)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name!r}: expected a text or a number")
    if isinstance(value, str) and len(value) > MAX_VALUE:
        raise ValueError(f"{name!r} has {len(value):,} characters: at most {MAX_VALUE}")
    return value


_SCHEMA: Final = {
    "type": "object",
    "additionalProperties": {"anyOf": [{"type": "string", "maxLength": MAX_VALUE}, {"type": "number"}]},
    "maxProperties": MAX_ENTRIES,
}

Metadata: TypeAlias = Annotated[
    dict[str, str | int | float], BeforeValidator(_metadata), WithJsonSchema(_SCHEMA, mode="validation")
]
