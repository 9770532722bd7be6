"""Where the records come from: a file, or standard input spooled so that it can be read twice."""

import codecs
import hashlib
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from engine.errors import InvalidInput
from producers.bulk.spool import said, spooled

STANDARD_INPUT: Final = "-"

#: Bytes read at a time.
BLOCK: Final = 1024 * 1024

#: UTF-32 first: its mark begins with that of UTF-16.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF8, "utf-8"),
)

_KNOWN_BINARIES: Final = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook (.xlsx)", "save it as CSV"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook (.xls)", "save it as CSV"),
    (b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (b"BZh", "a bzip2 archive", "unpack it first"),
    (b"\xfd7zXZ\x00", "an xz archive", "unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "unpack it first"),
    (b"%PDF-", "a PDF document", "export the list as CSV"),
    (b"PAR1", "a Parquet file", "export it as CSV or NDJSON"),
    (b"SQLite format 3\x00", "an SQLite database", "export it as CSV or NDJSON"),
    (b"\x89PNG\r\n", "a picture", "give a CSV or NDJSON file"),
    (b"\xff\xd8\xff", "a picture", "give a CSV or NDJSON file"),
    (b"\x7fELF", "a program", "give a CSV or NDJSON file"),
)


@dataclass(frozen=True, slots=True)
class Source:
    """A text file that was looked through once, and stands at its beginning."""

    name: str
    """As the user knows it."""
    path: Path | None
    """None: standard input, or something else that isn't a regular file."""
    file: IO[bytes]
    size: int
    digest: str
    """SHA-256 of the bytes."""
    mark: int
    """Bytes of the byte-order mark."""
    encoding: str | None
    """As asked for, or as the byte-order mark says; None: UTF-8, and latin-1 for lines that aren't."""

    def rewind(self) -> None:
        """Go back to the first character."""
        self.file.seek(self.mark)


@contextmanager
def open_source(
    given: str,
    *,
    encoding: str | None = None,
    stdin: IO[bytes] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Source]:
    """Open a file, or standard input for `-`, and look through it once: digest and binary check.

    `stop` is asked while standard input is waited for.

    Raises:
        InvalidInput: it can't be read, is empty or binary, or there is no such encoding.
        StorageFull: standard input could not be spooled.
        CadenzaError: stopped while standard input was waited for.
    """
    if encoding is not None:
        _require_encoding(encoding)
    if given == STANDARD_INPUT:
        with spooled(stdin or sys.stdin.buffer, stop) as file:
            yield _looked_through("standard input", None, file, encoding)
        return
    with _opened(given) as file:
        if stat.S_ISREG(Path(given).stat().st_mode):
            yield _looked_through(given, Path(given), file, encoding)
        else:
            with spooled(file, stop) as whole:
                yield _looked_through(given, None, whole, encoding)


def _opened(given: str) -> IO[bytes]:
    try:
        return Path(given).open("rb")
    except FileNotFoundError:
        raise InvalidInput(f"{given}: no such file") from None
    except IsADirectoryError:
        raise InvalidInput(f"{given} is a directory: name a file in it") from None
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{given} can't be read: {said(error)}") from None


def _looked_through(name: str, path: Path | None, file: IO[bytes], encoding: str | None) -> Source:
    file.seek(0)
    beginning = file.read(64)
    file.seek(0)
    if not beginning:
        raise InvalidInput(f"{name} is empty")
    for magic, what, advice in _KNOWN_BINARIES:
        if beginning.startswith(magic):
            raise InvalidInput(f"{name} is {what}, not text: {advice}")
    mark, encoding = _marked(beginning, encoding)
    digest, size = _digest(name, file, text=not _is_wide(encoding))
    source = Source(name, path, file, size, digest, mark, encoding)
    source.rewind()
    return source


def _digest(name: str, file: IO[bytes], *, text: bool) -> tuple[str, int]:
    digest = hashlib.sha256()
    size = lines = 0
    try:
        while block := file.read(BLOCK):
            if text and (at := block.find(b"\0")) >= 0:
                line = lines + block.count(b"\n", 0, at) + 1
                raise InvalidInput(
                    f"{name} is not text: line {line} has a NUL byte (if it is UTF-16, add --encoding utf-16-le)"
                )
            digest.update(block)
            size += len(block)
            lines += block.count(b"\n")
    except OSError as error:
        raise InvalidInput(f"{name} can't be read: {said(error)}") from None
    return digest.hexdigest(), size


def _require_encoding(encoding: str) -> None:
    try:
        "a".encode(encoding)
        codecs.getincrementaldecoder(encoding)
    except (LookupError, UnicodeError, ValueError):
        raise InvalidInput(
            f"encoding {encoding!r} is not known: give one that Python knows, such as utf-8, latin-1 or cp1252"
        ) from None


def _is_wide(encoding: str | None) -> bool:
    return encoding is not None and b"\0" in "a".encode(encoding)


def _marked(beginning: bytes, encoding: str | None) -> tuple[int, str | None]:
    """The length of the byte-order mark, and the encoding: the mark's, unless another one was asked for."""
    for mark, marked in _MARKS:
        if not beginning.startswith(mark):
            continue
        if marked == "utf-8":
            return len(mark), encoding
        if encoding is None or codecs.lookup(encoding).name.startswith(marked[:6]):
            return len(mark), marked
    return 0, encoding
