"""Records in chunks, checked: each chunk becomes one transaction."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from engine.rules.dates import ContactDates, UnreadDate
from producers.bulk.earlier import EarlierLines
from producers.bulk.records import BrokenRecord, Record, Records, Reject
from producers.fields import UNSTORABLE
from producers.people import Person, PersonRejected, person

#: Bytes of the file after which a chunk ends, however few records it has: what a chunk holds stays in memory.
MAX_BYTES: Final = 8 * 1024 * 1024

#: Lines that a report names for each column in which values were left out.
LINES_TOLD: Final = 10


@dataclass(slots=True)
class UnreadDates:
    """The values of one attribute that steps go by and that can't be read as dates."""

    count: int = 0
    lines: list[int] = field(default_factory=list)
    """The first of the lines."""
    first: str = ""
    """What is wrong with the first of them, and which steps are skipped."""

    def add(self, other: "UnreadDates") -> None:
        """Count others that come behind these."""
        self.count += other.count
        self.lines = [*self.lines, *other.lines][:LINES_TOLD]
        self.first = self.first or other.first


@dataclass(slots=True)
class Chunk:
    """Some records of a file, in its order."""

    people: list[Person] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    """The record of each of the people."""
    rejects: list[Reject] = field(default_factory=list)
    warnings: Counter[str] = field(default_factory=Counter)
    """Values that were left out, by column."""
    warning_lines: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """The first lines on which values of a column were left out."""
    unread_dates: dict[str, UnreadDates] = field(default_factory=lambda: defaultdict(UnreadDates))
    """By attribute."""
    size: int = 0
    """How many records, with those rejected."""
    position: int = 0
    """Bytes of the file that have been read."""

    def all_rejects(self, conflicts: Iterable[tuple[int, str]]) -> Sequence[Reject]:
        """The rejects, with those people who were found to contradict each other, in the order of the file."""
        found = [_reject(self.records[index], reason) for index, reason in conflicts]
        return sorted([*self.rejects, *found], key=lambda reject: reject.line) if found else self.rejects


def chunks_of(
    records: Records, *, skip: int, size: int, region: str, needs: frozenset[str], dates: ContactDates
) -> Iterator[Chunk]:
    """Check what comes after the first `skip` records, chunk by chunk.

    The skipped records are checked too: a later line may contradict one of them. So which lines contradict each other
    depends on the file alone, not on its chunks, on where a run was stopped, or on what the database rejected. Empty
    chunks between them let a run stop.
    """
    rest = iter(records)
    check = _Check(region, needs, dates, EarlierLines())
    for number, record in enumerate(islice(rest, skip), start=1):
        check.take(Chunk(), record)
        if number % size == 0:
            yield Chunk()
    while True:
        chunk = Chunk()
        begin = records.position
        for record in islice(rest, size):
            check.take(chunk, record)
            if records.position - begin > MAX_BYTES:
                break
        chunk.position = records.position
        if not chunk.size:
            return
        yield chunk


@dataclass(frozen=True, slots=True)
class _Check:
    """What a record has to pass."""

    region: str
    needs: frozenset[str]
    dates: ContactDates
    earlier: EarlierLines

    def take(self, chunk: Chunk, record: Record | BrokenRecord) -> None:
        """Add a record to a chunk, among its people or its rejects."""
        chunk.size += 1
        if isinstance(record, BrokenRecord):
            chunk.rejects.append(_reject(record, record.reason))
            return
        try:
            somebody, warnings = person(record.fields, region=self.region, needs=self.needs)
        except PersonRejected as rejected:
            chunk.rejects.append(_reject(record, rejected.reason))
            return
        unread = self.dates.unread(somebody.attributes)
        if required := [date for date in unread if date.required]:
            chunk.rejects.append(_reject(record, "; ".join(map(str, required))))
            return
        if (contradiction := self.earlier.contradiction(somebody, record.line)) is not None:
            chunk.rejects.append(_reject(record, contradiction))
            return
        chunk.people.append(somebody)
        chunk.records.append(record)
        _note(chunk, record.line, warnings, unread)


def _note(chunk: Chunk, line: int, warnings: Iterable[str], unread: Iterable[UnreadDate]) -> None:
    """Count what is wrong with a record that is taken all the same."""
    for warning in warnings:
        column = warning.partition(" ")[0]
        chunk.warnings[column] += 1
        if len(chunk.warning_lines[column]) < LINES_TOLD:
            chunk.warning_lines[column].append(line)
    for date in unread:
        chunk.unread_dates[date.attribute].add(UnreadDates(1, [line], str(date)))


def _reject(record: Record | BrokenRecord, reason: str) -> Reject:
    """The values as they were, but for what Postgres can't keep."""
    return Reject(record.line, reason, [UNSTORABLE.sub("\ufffd", value) for value in record.raw])
