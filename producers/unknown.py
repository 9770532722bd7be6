"""What to say when nothing has the key that was named."""

from collections.abc import Sequence
from typing import Final

from schema.definition import did_you_mean

LISTED: Final = 20


def unknown(what: str, key: str, known: Sequence[str], how: str) -> str:
    """Say that nothing has that key, what is near, and what there is; or how to make the first."""
    if not known:
        return f"unknown {what} {key!r}: there is none yet, {how}"
    key = key if len(key) <= 63 else key[:62] + "…"
    more = f" and {len(known) - LISTED} more" if len(known) > LISTED else ""
    return f"unknown {what} {key!r}{did_you_mean(key, known)}: there are {', '.join(known[:LISTED])}{more}"
