"""Records of a CSV file (RFC 4180, and what people make of it)."""

import csv
import re
from collections import deque
from collections.abc import Iterator
from itertools import chain
from typing import Any, Final

from engine.errors import InvalidInput
from producers.bulk.columns import DELIMITERS, delimiter_of, read_header, require_columns
from producers.bulk.lines import MAX_LINE, UNDECODABLE, Lines
from producers.bulk.records import BrokenRecord, Record
from producers.bulk.source import Source

#: What a rejects file has before the columns: not the contact's, when it is mended and fed again.
REJECT_COLUMNS: Final = ("line", "reason")

#: A record that goes on for more lines or characters than these has a quote that is never closed.
MAX_LINES: Final = 1_000
MAX_CHARACTERS: Final = MAX_LINE

#: How Excel names the delimiter, on a line of its own before the header.
_TOLD: Final = re.compile(rf"sep=([{re.escape(DELIMITERS)}])[\r\n]*", re.IGNORECASE)

#: Characters of an unreadable line that are kept for the rejects file.
KEPT: Final = 65_536


class _NeverClosedError(Exception):
    """A quoted value does not end."""


class CsvRecords:
    """Reads record by record; one that can't be read costs no other one."""

    def __init__(self, source: Source) -> None:
        """Read the header.

        Raises:
            InvalidInput: there is no header, no record, or a column without a name of its own.
        """
        self._name = source.name
        self._encoding = source.encoding
        self._lines = Lines(source)
        self._next = iter(self._lines).__next__
        self._ahead: deque[str] = deque()
        self._pulled: list[str] = []
        self._line = 0
        self._short = 0
        self._delimiter = self._find_delimiter()
        header = self._read_header()
        self._skipped = len(REJECT_COLUMNS) if tuple(header[: len(REJECT_COLUMNS)]) == REJECT_COLUMNS else 0
        self._names = read_header(header[self._skipped :], self._where)
        self.header = header[self._skipped :][: len(self._names)]
        self._records = self._read()
        self._first = next(self._records, None)
        if self._first is None:
            raise InvalidInput(f"{source.name} has a header but no records")

    def require(self, needs: frozenset[str], sequence: str) -> None:
        """Make sure that there are the columns that the sequence needs.

        Raises:
            InvalidInput: every record would be rejected.
        """
        require_columns(self.header, needs, sequence, self._name)

    @property
    def position(self) -> int:
        """Bytes read so far."""
        return self._lines.position

    @property
    def short_lines(self) -> int:
        """Records read so far that had fewer columns than the header: their last cells are empty."""
        return self._short

    @property
    def latin1_lines(self) -> int:
        """Lines read so far that were not UTF-8 and were taken for latin-1."""
        return self._lines.latin1

    def __iter__(self) -> Iterator[Record | BrokenRecord]:
        """Give record by record."""
        return chain([self._first] if self._first is not None else [], self._records)

    @property
    def _where(self) -> str:
        return f"{self._name}, line {self._line}"

    def _find_delimiter(self) -> str:
        """Look at the first line that isn't blank."""
        while (line := next(self._line_by_line(), None)) is not None:
            if (told := _TOLD.fullmatch(line)) is not None:
                self._line += 1
                return told[1]
            if line.strip():
                self._ahead.append(line)
                return delimiter_of(line[:KEPT])
            self._line += 1
        raise InvalidInput(f"{self._name} is empty")

    def _read_header(self) -> list[str]:
        for line, row in self._rows():
            if isinstance(row, str):
                raise InvalidInput(f"{self._name}, line {line}: the header can't be read: {row}")
            if any(value.strip() for value in row):
                if self._lines.undecodable and UNDECODABLE in "".join(row):
                    raise InvalidInput(f"{self._name}, line {line}: the header is not valid {self._encoding}")
                if row[0].lstrip().startswith("{"):
                    raise InvalidInput(f"{self._name} looks like NDJSON, not CSV: add --format ndjson")
                return row
        raise InvalidInput(f"{self._name} is empty")

    def _read(self) -> Iterator[Record | BrokenRecord]:
        names, width, skipped = self._names, len(self._names), self._skipped
        for line, row in self._rows():
            if skipped and not isinstance(row, str):
                row = row[skipped:]
            if isinstance(row, str):
                yield BrokenRecord(line, row, [self._pulled[0].rstrip("\r\n")[:KEPT]])
            elif self._lines.undecodable and UNDECODABLE in "".join(row):
                raw = [value.replace(UNDECODABLE, "\ufffd") for value in row]
                yield BrokenRecord(line, f"is not valid {self._encoding}: mend it, or give another --encoding", raw)
            elif len(row) == width:
                if any(row):
                    yield Record(line, dict(zip(names, row, strict=True)), row)
            elif any(value.strip() for value in row):
                yield self._of_other_width(line, row)

    def _of_other_width(self, line: int, row: list[str]) -> Record | BrokenRecord:
        """Read a record whose last cells are missing, as spreadsheets write empty ones; reject one with too many.

        Empty values beyond the header don't matter; others may have shifted the values.
        """
        width = len(self._names)
        if len(row) < width:
            self._short += 1
            full = [*row, *[""] * (width - len(row))]
            return Record(line, dict(zip(self._names, full, strict=True)), full)
        if not any(value.strip() for value in row[width:]):
            return Record(line, dict(zip(self._names, row, strict=False)), row[:width])
        advice = "quote a value that contains the delimiter"
        return BrokenRecord(line, f"has {len(row)} columns where the header has {width}: {advice}", row)

    def _rows(self) -> Iterator[tuple[int, list[str] | str]]:
        """The line on which each row starts, and its values; or the reason why its first line can't be read."""
        pulled = self._pulled
        reader = self._reader()
        while True:
            pulled.clear()
            line = self._line + 1
            try:
                row = next(reader)
                self._line += len(pulled)
                yield line, row
            except StopIteration:
                return
            except (csv.Error, _NeverClosedError) as error:
                mended = self._first_line_alone(line, error)
                self._ahead.extendleft(reversed(pulled[1:]))
                self._line += 1
                reader = self._reader()
                yield line, mended

    def _first_line_alone(self, line: int, error: Exception) -> list[str] | str:
        """Read the first line leniently, if that is all there is; else tell what is wrong with it."""
        first = self._pulled[0]
        if len(first) > MAX_CHARACTERS:
            return f"is longer than {MAX_CHARACTERS} characters"
        closed = True

        def only() -> Iterator[str]:
            nonlocal closed
            yield first
            closed = False

        try:
            row: list[str] = next(self._reader(only(), strict=False), [])
        except csv.Error:
            return f"has a value that is longer than {csv.field_size_limit()} characters"
        if closed:
            return row
        if isinstance(error, _NeverClosedError) or "expected after" not in str(error):
            return f"a quote opened on line {line} is never closed"
        return f"a quote opened on line {line} is not closed properly: double the quotes inside quotes"

    def _reader(self, lines: Iterator[str] | None = None, *, strict: bool = True) -> Any:
        feed = self._feed() if lines is None else lines
        return csv.reader(feed, delimiter=self._delimiter, strict=strict, skipinitialspace=True)

    def _feed(self) -> Iterator[str]:
        """Lines for the reader, noted as they are pulled."""
        pulled, size = self._pulled, 0
        for line in self._line_by_line():
            size = len(line) if not pulled else size + len(line)
            pulled.append(line)
            if len(pulled) > MAX_LINES or size > MAX_CHARACTERS:
                raise _NeverClosedError
            yield line

    def _line_by_line(self) -> Iterator[str]:
        while True:
            if self._ahead:
                yield self._ahead.popleft()
            else:
                try:
                    line = self._next()
                except StopIteration:
                    return
                yield line
