"""What reading a file gives."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol


class Record(NamedTuple):
    """One contact as the file has it."""

    line: int
    """The physical line on which it starts; the first one of the file is 1."""
    fields: Mapping[str, object]
    """Values by the canonical names of their columns."""
    raw: Sequence[str]
    """The values as they were, for the rejects file."""


class BrokenRecord(NamedTuple):
    """Something that can't be read as a contact."""

    line: int
    reason: str
    """What is wrong, and how to mend it."""
    raw: Sequence[str]


class Reject(NamedTuple):
    """A record that is not enrolled, as the rejects file has it."""

    line: int
    reason: str
    raw: Sequence[str]


class Records(Protocol):
    """The records of a source, in its order; to be gone through once."""

    @property
    def header(self) -> Sequence[str]:
        """The columns as the file names them."""
        ...

    def require(self, needs: frozenset[str], sequence: str) -> None:
        """Make sure that there are the columns that the sequence needs.

        Raises:
            InvalidInput: every record would be rejected.
        """
        ...

    @property
    def position(self) -> int:
        """Bytes read so far."""
        ...

    @property
    def short_lines(self) -> int:
        """Records read so far that had fewer columns than the header: their last cells are empty."""
        ...

    @property
    def latin1_lines(self) -> int:
        """Lines read so far that were not UTF-8 and were taken for latin-1."""
        ...

    def __iter__(self) -> Iterator[Record | BrokenRecord]:
        """Give record by record."""
        ...
