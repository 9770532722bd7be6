"""What commands print: text for people, or with --json one document and nothing else on standard output."""

import json
import os
import sys
import textwrap
from collections.abc import Callable, Iterable
from datetime import datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import typer

from engine.errors import StorageFull
from schema.counted import counted

Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON document, and nothing else.")]
WorkspaceName: TypeAlias = Annotated[
    str | None, typer.Option("--workspace", "-w", help="The workspace; CADENZA_WORKSPACE otherwise.")
]

#: The most entries that a list shows as text; --json shows all.
SHOWN: Final = 100

#: The exit code of a command that did only a part of what it was asked for.
IN_PART: Final = 3

#: How wide the lines of an explanation are.
COLUMNS: Final = 100


def report(as_json: bool, document: dict[str, Any], text: Callable[[], str]) -> None:
    """Print a document, or what it says in words."""
    escaped = sys.stdout.encoding.lower() != "utf-8"
    say(json.dumps(document, default=_plain, ensure_ascii=escaped, indent=2) if as_json else text())


def say(text: str) -> None:
    """Print on standard output, at once; what its encoding lacks, and what is no text in a file's name, is escaped.

    Raises:
        BrokenPipeError: nobody reads it any more.
        StorageFull: it can't be written.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # where the rest goes when this process ends
        if isinstance(error, BrokenPipeError):
            raise
        raise StorageFull(f"standard output can't be written: {error.strerror}") from None


def note(text: str) -> None:
    """Print on standard error: progress, warnings."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def handed_over(count: int | None) -> str:
    """Return the end of a sentence about steps that can't be stopped any more; empty if there are none."""
    return f"; {counted(count, 'step')} had been handed over by then and can't be called back" if count else ""


def fitted(lines: Iterable[str]) -> str:
    """Return lines as one text, each wrapped to `COLUMNS`: what goes on is indented deeper than where it began."""
    return "\n".join(wrapped for line in lines for wrapped in _wrapped(line))


def _wrapped(line: str) -> list[str]:
    if len(line) <= COLUMNS:
        return [line]
    indent = " " * (len(line) - len(line.lstrip(" ")) + 4)
    return textwrap.wrap(
        line, COLUMNS, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )  # fmt: skip


def table(rows: list[tuple[str, Any]]) -> str:
    """Two columns, the first as wide as it has to be."""
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
