"""Records in chunks, checked: each chunk becomes one transaction."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from producers.bulk.earlier import EarlierLines
from producers.bulk.records import BrokenRecord, Record, Records, Reject
from producers.fields import UNSTORABLE
from producers.people import Person, PersonRejected, person

#: Bytes of the file after which a chunk ends, however few records it has: what a chunk holds stays in memory.
MAX_BYTES: Final = 8 * 1024 * 1024

#: Lines that a report names for each column in which values were left out.
LINES_TOLD: Final = 10


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
    size: int = 0
    """How many records, with those rejected."""
    position: int = 0
    """Bytes of the file that have been read."""

    def all_rejects(self, conflicts: Iterable[tuple[int, str]]) -> Sequence[Reject]:
        """The rejects, with those people who were found to contradict each other, in the order of the file."""
        found = [_reject(self.records[index], reason) for index, reason in conflicts]
        return sorted([*self.rejects, *found], key=lambda reject: reject.line) if found else self.rejects


def chunks_of(records: Records, *, skip: int, size: int, region: str, needs: frozenset[str]) -> Iterator[Chunk]:
    """Check what comes after the first `skip` records, chunk by chunk.

    The skipped records are checked too: a later line may contradict one of them. So which lines contradict each other
    depends on the file alone, not on its chunks, on where a run was stopped, or on what the database rejected.
    """
    rest = iter(records)
    earlier = EarlierLines()
    for record in islice(rest, skip):
        _take(Chunk(), record, region, needs, earlier)
    while True:
        chunk = Chunk()
        begin = records.position
        for record in islice(rest, size):
            _take(chunk, record, region, needs, earlier)
            if records.position - begin > MAX_BYTES:
                break
        chunk.position = records.position
        if not chunk.size:
            return
        yield chunk


def _take(
    chunk: Chunk, record: Record | BrokenRecord, region: str, needs: frozenset[str], earlier: EarlierLines
) -> None:
    chunk.size += 1
    if isinstance(record, BrokenRecord):
        chunk.rejects.append(_reject(record, record.reason))
        return
    try:
        somebody, warnings = person(record.fields, region=region, needs=needs)
    except PersonRejected as rejected:
        chunk.rejects.append(_reject(record, rejected.reason))
        return
    if (contradiction := earlier.contradiction(somebody, record.line)) is not None:
        chunk.rejects.append(_reject(record, contradiction))
        return
    chunk.people.append(somebody)
    chunk.records.append(record)
    for warning in warnings:
        column = warning.partition(" ")[0]
        chunk.warnings[column] += 1
        if len(chunk.warning_lines[column]) < LINES_TOLD:
            chunk.warning_lines[column].append(record.line)


def _reject(record: Record | BrokenRecord, reason: str) -> Reject:
    """The values as they were, but for what Postgres can't keep."""
    return Reject(record.line, reason, [UNSTORABLE.sub("\ufffd", value) for value in record.raw])
