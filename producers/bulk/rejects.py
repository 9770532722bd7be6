"""The rejects file: what could not be enrolled and why, as it was in the file, to be mended and fed again."""

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from engine.errors import InvalidInput, StorageFull
from producers.bulk.csv_records import REJECT_COLUMNS
from producers.bulk.records import Reject
from producers.bulk.source import Source

_BEGINNING: Final = ",".join(REJECT_COLUMNS).encode()


def place_of_rejects(source: Source, given: str | None) -> Path:
    """Where rejects go: as given, else beside the file, else in the working folder.

    Raises:
        InvalidInput: something else is there that must not be lost, or the folder doesn't exist.
    """
    if given is not None:
        path = Path(given)
    elif source.path is not None:
        path = source.path.with_name(f"{source.path.name}.rejected.csv")
    else:
        path = Path("stdin.rejected.csv")
    if path.is_dir() or not path.parent.is_dir():
        raise InvalidInput(f"rejects can't go to {path}: no such folder, or it is one; give a file with --rejects")
    if path.is_file() and not _is_ours(path):
        raise InvalidInput(f"rejects can't go to {path}: it holds something else; give another file with --rejects")
    return path


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            beginning = file.read(len(_BEGINNING))
    except OSError:
        return True  # what can't be read is told when it is written
    return not beginning or beginning == _BEGINNING


class RejectsFile:
    """Made when the first reject is written; what an earlier run left is removed."""

    def __init__(self, path: Path, header: Sequence[str]) -> None:
        """Begin anew: remove what an earlier run left.

        Raises:
            StorageFull: it can't be removed.
        """
        self.path = path
        self.done = 0
        """Records that are settled for good, for the message if the disk is full."""
        self._header = [*REJECT_COLUMNS, *header]
        self._file: io.FileIO | None = None
        if path.is_file():
            try:
                path.unlink()
            except OSError as error:
                raise self._full(error) from None

    @property
    def exists(self) -> bool:
        """Whether anything was rejected."""
        return self._file is not None

    def write(self, rejects: Iterable[Reject]) -> int:
        """Write the rejects to the file, at once; tell how long it was before.

        Raises:
            StorageFull: it can't be written.
        """
        rows = _as_csv([reject.line, reject.reason, *reject.raw] for reject in rejects)
        try:
            if self._file is None and rows:
                self._file = io.FileIO(self.path, "w")
                _write(self._file, _as_csv([self._header]))
            before = self._length()
            if self._file is not None:
                _write(self._file, rows)
        except OSError as error:
            raise self._full(error) from None
        return before

    def cut(self, length: int) -> None:
        """Take back what was written beyond the length, where that is possible."""
        if self._file is not None and self._file.seekable() and length < self._length():
            self._file.seek(length)
            self._file.truncate()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _length(self) -> int:
        return os.fstat(self._file.fileno()).st_size if self._file is not None else 0

    def _full(self, error: OSError) -> StorageFull:
        return StorageFull(
            f"rejects file {self.path}: {error.strerror}; {self.done} records are done, the rest is not;"
            " make room there, or give another file with --rejects"
        )


def _as_csv(rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode(errors="backslashreplace")


def _write(file: io.FileIO, data: bytes) -> None:
    """Write all of it: one write may take less."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) or 0 :]
