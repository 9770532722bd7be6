"""Records of a file with one JSON object a line."""

import json
from collections.abc import Iterator
from itertools import chain
from typing import Final

from engine.errors import InvalidInput
from producers.bulk.columns import canonical
from producers.bulk.csv_records import KEPT
from producers.bulk.lines import MAX_LINE, UNDECODABLE, Lines
from producers.bulk.records import BrokenRecord, Record
from producers.bulk.source import Source

#: The rejects file has the whole line in one column.
HEADER: Final = ["record"]


class NdjsonRecords:
    """Reads line by line."""

    def __init__(self, source: Source) -> None:
        """Read the first record.

        Raises:
            InvalidInput: there is none, or the file is one JSON array.
        """
        self._encoding = source.encoding
        self._lines = Lines(source)
        self.header = HEADER
        self._records = self._read()
        self._first = next(self._records, None)
        if self._first is None:
            raise InvalidInput(f"{source.name} is empty")
        if self._first.raw[0].startswith("["):
            raise InvalidInput(f"{source.name} is a JSON array: write one object a line, without brackets and commas")

    def require(self, needs: frozenset[str], sequence: str) -> None:
        """Nothing to look at: every record names its own columns."""

    @property
    def position(self) -> int:
        """Bytes read so far."""
        return self._lines.position

    @property
    def short_lines(self) -> int:
        """None: NDJSON has no columns."""
        return 0

    @property
    def latin1_lines(self) -> int:
        """Lines read so far that were not UTF-8 and were taken for latin-1."""
        return self._lines.latin1

    def __iter__(self) -> Iterator[Record | BrokenRecord]:
        """Give record by record."""
        return chain([self._first] if self._first is not None else [], self._records)

    def _read(self) -> Iterator[Record | BrokenRecord]:
        for number, line in enumerate(self._lines, start=1):
            text = line.strip()
            if text:
                yield self._record(number, text)

    def _record(self, number: int, text: str) -> Record | BrokenRecord:
        if len(text) > MAX_LINE:
            return BrokenRecord(number, f"is longer than {MAX_LINE} characters", [text[:KEPT]])
        raw = [text[:KEPT]]
        if self._lines.undecodable and UNDECODABLE in text:
            reason = f"is not valid {self._encoding}: mend it, or give another --encoding"
            return BrokenRecord(number, reason, [text[:KEPT].replace(UNDECODABLE, "\ufffd")])
        try:
            value = json.loads(text)
        except json.JSONDecodeError as error:
            return BrokenRecord(number, f"is not valid JSON: {error.msg} at character {error.pos + 1}", raw)
        except RecursionError:
            return BrokenRecord(number, "is not valid JSON: nested too deep", raw)
        except ValueError:
            return BrokenRecord(number, "is not valid JSON: a number has too many digits", raw)
        if not isinstance(value, dict):
            return BrokenRecord(number, "is not a JSON object: write {...} with a name for each value", raw)
        fields = {canonical(name): inner for name, inner in value.items()}
        if len(fields) != len(value):
            return BrokenRecord(number, "names the same column twice: rename or remove one", raw)
        return Record(number, fields, raw)
