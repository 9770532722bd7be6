"""Read the records of a file, whatever its format."""

from pathlib import Path
from typing import Final

from engine.errors import InvalidInput
from producers.bulk.csv_records import CsvRecords
from producers.bulk.ndjson_records import NdjsonRecords
from producers.bulk.records import Records
from producers.bulk.source import Source

FORMATS: Final = ("csv", "ndjson")

_NDJSON_SUFFIXES: Final = (".ndjson", ".jsonl")


def open_records(source: Source, *, format: str | None = None) -> Records:  # noqa: A002 (the option's name)
    """Read from the beginning; the format is that of the file's suffix unless told.

    Raises:
        InvalidInput: there are no records, or no such format.
    """
    if format is not None and format not in FORMATS:
        raise InvalidInput(f"format {format!r} is not known: give one of {', '.join(FORMATS)}")
    suffixed = Path(source.name).suffix.lower() in _NDJSON_SUFFIXES
    return NdjsonRecords(source) if format == "ndjson" or (format is None and suffixed) else CsvRecords(source)
