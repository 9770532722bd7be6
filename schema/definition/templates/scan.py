"""A look at a template before python-liquid reads it.

It says on which line something isn't closed, which python-liquid can't, and refuses what would keep its regular
expressions busy for minutes: their time grows with the square of a tag's length.
"""

import re
from typing import Final

from schema.definition.problem import did_you_mean

MAX_SOURCE: Final = 256 * 1024
"""Characters of a template."""
MAX_MARKUP: Final = 1_000
"""Characters of one `{{ ... }}` or `{% ... %}`."""

#: Tags that are closed, each with those that may stand within.
BLOCKS: Final = {
    "if": ("elsif", "else"),
    "unless": ("elsif", "else"),
    "case": ("when", "else"),
    "for": ("else",),
    "capture": (),
    "comment": (),
}
LOOP_ONLY: Final = ("break", "continue")
TAGS: Final = (*BLOCKS, "assign", "echo", "cycle", "raw", "#", *LOOP_ONLY)

_OPENING: Final = re.compile(r"\{\{|\{%-?\s*(?P<name>\w+|#|)")
_RAW: Final = re.compile(r"\{%-?\s*raw\s*-?%\}")
_END_RAW: Final = re.compile(r"\{%-?\s*endraw\s*-?%\}")
_WIDE: Final = re.compile(r"\s{100}")


class TemplateError(ValueError):
    """A template can't be used. The message has no data of a contact."""

    def __init__(self, message: str, line: int) -> None:
        """Say what is wrong, and on which line of the template, from 1."""
        super().__init__(message)
        self.line = line


def line_of(source: str, index: int) -> int:
    """The line, from 1, of a position in a text."""
    return source.count("\n", 0, max(index, 0)) + 1


def scan(source: str) -> None:
    """Check that all markup is closed, known, and of a reasonable size.

    Raises:
        TemplateError: it isn't.
    """
    if len(source) > MAX_SOURCE:
        raise TemplateError(f"the template is longer than {MAX_SOURCE:,} characters", 1)
    open_blocks: list[tuple[str, int]] = []
    position = 0
    while opening := _OPENING.search(source, position):
        start = opening.start()
        try:
            markup = _markup(source, opening)
            position = start + len(markup)
            if _RAW.fullmatch(markup):
                position = _end_of_raw(source, position)
            elif (name := opening["name"]) is not None:
                _follow_blocks(name, start, open_blocks)
        except ValueError as error:
            raise TemplateError(str(error), line_of(source, start)) from None
    if open_blocks:
        name, start = open_blocks[-1]
        raise TemplateError(f"{{% {name} %}} isn't closed: write {{% end{name} %}}", line_of(source, start))


def _markup(source: str, opening: re.Match[str]) -> str:
    left, right = ("{{", "}}") if opening["name"] is None else ("{%", "%}")
    end = source.find(right, opening.end())
    markup = source[opening.start() : end + 2]
    if end < 0 or "{{" in markup[2:] or "{%" in markup[2:]:
        raise ValueError(f"{left} isn't closed: write {right}")
    if len(markup) > MAX_MARKUP or _WIDE.search(markup):
        raise ValueError(f"{left} ... {right} is longer than {MAX_MARKUP:,} characters, or has 100 spaces in a row")
    if not markup[2:-2].strip("- \t\n"):
        raise ValueError(f"{left} {right} is empty: name a variable, as in {{{{ contact.first_name }}}}")
    return markup


def _end_of_raw(source: str, position: int) -> int:
    end = _END_RAW.search(source, position)
    if end is None:
        raise ValueError("{% raw %} isn't closed: write {% endraw %}")
    return end.end()


def _follow_blocks(name: str, start: int, open_blocks: list[tuple[str, int]]) -> None:
    innermost = open_blocks[-1][0] if open_blocks else ""
    if innermost == "comment" and name not in ("comment", "endcomment", "doc", "raw"):
        return
    if name in BLOCKS:
        open_blocks.append((name, start))
    elif innermost and name == f"end{innermost}":
        open_blocks.pop()
    elif name.removeprefix("end") in BLOCKS and name.startswith("end"):
        closes = f"{{% {innermost} %}} is open here" if innermost else "nothing is open here"
        raise ValueError(f"{{% {name} %}} closes nothing: {closes}")
    elif name in BLOCKS.get(innermost, ()):
        return
    elif name in ("elsif", "else", "when"):
        raise ValueError(f"{{% {name} %}} stands in no block that it could belong to")
    elif name in LOOP_ONLY and "for" not in (block for block, _ in open_blocks):
        raise ValueError(f"{{% {name} %}} stands outside of a for loop")
    elif name not in TAGS or name == "raw":
        hint = did_you_mean(name, TAGS)
        raise ValueError(f"unknown tag {name!r}{hint}: the tags are {', '.join(TAGS)}")
