"""The filters that templates may use: those of Liquid that are safe, bounded, and know no clock of the machine."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from liquid import Environment, is_undefined
from liquid.builtin.filters.array import join as liquid_join
from liquid.builtin.filters.string import replace as liquid_replace
from liquid.filter import with_environment

from schema.definition.templates.work import MAX_TEXT, WorkLimitError

MAX_SEPARATOR: Final = 100
MAX_FORMAT: Final = 100

#: Left out on purpose: `safe` (HTML stays escaped), `strip_html` and `uniq` (quadratic), base64 and `escapejs`.
KEPT: Final = (
    "abs", "append", "at_least", "at_most", "capitalize", "ceil", "default", "divided_by", "downcase", "escape",
    "escape_once", "first", "floor", "last", "lstrip", "map", "minus", "modulo", "newline_to_br", "plus", "prepend",
    "remove", "remove_first", "remove_last", "replace_first", "replace_last", "reverse", "round", "rstrip", "size",
    "slice", "sort", "split", "squish", "strip", "strip_newlines", "times", "truncate", "truncatewords", "upcase",
    "url_decode", "url_encode", "where",
)  # fmt: skip


def replace(value: object, old: object, new: object = "") -> str:
    """Liquid's, if the result stays within bounds: a chain of three could make a terabyte."""
    text = "" if value is None else str(value)
    if text.count(str(old)) * len(str(new)) > MAX_TEXT:
        raise WorkLimitError("replace makes too much", token=None)
    return liquid_replace(value, old, new)  # type: ignore[no-any-return]


@with_environment
def join(value: object, separator: object = " ", *, environment: Environment) -> str:
    """Liquid's, with a short separator."""
    if len(str(separator)) > MAX_SEPARATOR:
        raise WorkLimitError("join's separator is too long", token=None)
    return liquid_join(value, separator, environment=environment)  # type: ignore[no-any-return]


def date(value: object, form: object) -> str:
    """Write an ISO 8601 date or time, or Unix seconds (UTC), by a strftime format; anything else stays as it is."""
    if value is None or is_undefined(value):
        return ""
    text = str(value)
    try:
        moment = datetime.fromtimestamp(int(text), UTC) if text.isdecimal() else datetime.fromisoformat(text)
        return text if is_undefined(form) else moment.strftime(str(form)[:MAX_FORMAT])
    except (ValueError, OverflowError, OSError):
        return text


OURS: Final[dict[str, Callable[..., Any]]] = {"replace": replace, "join": join, "date": date}
NAMES: Final = tuple(sorted((*KEPT, *OURS)))
