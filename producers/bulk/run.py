"""`cadenza enroll`: a file of contacts into a sequence, chunk by chunk."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Protocol

from engine.database import Database
from engine.rules.dates import ContactDates
from engine.wakeups import Wakeups
from producers.bulk.ahead import ahead
from producers.bulk.batch import Counts, open_batch
from producers.bulk.chunks import LINES_TOLD, Chunk, UnreadDates, chunks_of
from producers.bulk.dry_run import DryRun
from producers.bulk.enrolling import Enrolling
from producers.bulk.reading import open_records
from producers.bulk.records import Records, Reject
from producers.bulk.rejects import RejectsFile, place_of_rejects
from producers.bulk.source import Source, open_source
from producers.enrollment import require_active
from producers.phones import check_region
from producers.sequences import find_sequence
from producers.workspaces import find_workspace

#: Records of one transaction, and how many chunks are read ahead of the database.
CHUNK: Final = 5_000
DEPTH: Final = 2


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come."""

    done: Counts
    """With what earlier runs of the batch did."""
    position: int
    """Bytes of the file that have been read, of `size`."""
    size: int
    rejects: Sequence[Reject]
    """What was rejected since the last time."""


@dataclass(frozen=True, slots=True)
class BulkReport:
    """What became of a file: with a batch, in all its runs together."""

    enrolled: int
    repeats: int
    """Records whose contact was in the sequence already, or twice in the file."""
    rejected: int
    records: int
    warnings: Mapping[str, int]
    """Values that were left out since they were invalid and not needed, by column; of this run alone."""
    warning_lines: Mapping[str, Sequence[int]]
    """The first lines on which that was so, by column."""
    unread_dates: Mapping[str, UnreadDates]
    """Values that steps go by and that can't be read as dates, by attribute; of this run alone."""
    workspace_timezone: str
    """The zone of contacts without one of their own."""
    short_lines: int
    """Records with fewer columns than the header: their last cells are empty."""
    latin1_lines: int
    """Lines that were not UTF-8 and were taken for latin-1."""
    rejects_path: Path | None
    """None: nothing was rejected."""
    resumed_at: int
    """Records that earlier runs of the batch had done."""
    wakeups_warning: str | None
    """Why Redis did not take wake-ups; the sweeper makes up for them."""
    complete: bool
    """False: stopped before the end."""


def run_bulk(
    database: Database,
    wakeups: Wakeups,
    workspace: str,
    sequence_key: str,
    source: str,
    *,
    batch: str | None = None,
    dry_run: bool = False,
    rejects_path: str | None = None,
    format: str | None = None,  # noqa: A002 (the option's name)
    encoding: str | None = None,
    region: str | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
    chunk: int = CHUNK,
    stdin: IO[bytes] | None = None,
) -> BulkReport:
    """Enroll the contacts of a file (`-`: standard input), each once; what can't be enrolled is rejected and told.

    `stop` is asked between chunks, each of which is one transaction: whenever a run ends, nothing is half done.

    Raises:
        InvalidInput: a name, an option or the file can't be worked with; nothing was done.
        StorageFull: the rejects file can't be written; the message says how far the work had come.
        Unavailable: the database can't be reached; the message says how far the work had come.
    """
    with database.transaction() as session:
        tenant = find_workspace(session, workspace)
        sequence = find_sequence(session, tenant.id, sequence_key)
    require_active(sequence)
    needs, dates = sequence.definition.needs, ContactDates(sequence.definition)
    region = tenant.region if region is None else check_region(region)
    with open_source(source, encoding=encoding, stdin=stdin, stop=stop) as opened:
        records = open_records(opened, format=format)
        records.require(needs, sequence.key)
        path = place_of_rejects(opened, rejects_path)
        if dry_run:
            with closing(RejectsFile(path, records.header)) as rejects:
                chunks = chunks_of(records, skip=0, size=chunk, region=region, needs=needs, dates=dates)
                run = _Run(opened, records, rejects, Counts(), progress, stop, tenant.timezone)
                return run.through(chunks, DryRun(database, sequence, rejects))
        with (
            open_batch(database, tenant.id, sequence.sequence_id, batch, opened.digest) as begun,
            closing(RejectsFile(path, records.header)) as rejects,
            Enrolling(database, wakeups, sequence, begun, rejects) as enrolling,
        ):
            begun.restore_rejects(database, rejects)
            done = begun.begun_with.records
            chunks = chunks_of(records, skip=done, size=chunk, region=region, needs=needs, dates=dates)
            run = _Run(opened, records, rejects, begun.begun_with, progress, stop, tenant.timezone)
            report = run.through(iter(()) if begun.finished else chunks, enrolling)
            if report.complete:
                begun.finish(database)
            return report


class _Work(Protocol):
    """What is done with a chunk."""

    @property
    def wakeups_warning(self) -> str | None: ...

    def settle(self, chunk: Chunk, done: Counts) -> tuple[Counts, Sequence[Reject]]: ...


@dataclass(slots=True)
class _Run:
    source: Source
    records: Records
    rejects: RejectsFile
    counts: Counts
    progress: Callable[[Progress], None]
    stop: Callable[[], bool]
    timezone: str

    def through(self, chunks: Iterator[Chunk], work: _Work) -> BulkReport:
        """Settle chunk after chunk, while the next ones are read."""
        begun_with, warnings, complete = self.counts, Counter[str](), True
        lines: dict[str, list[int]] = {}
        unread: dict[str, UnreadDates] = defaultdict(UnreadDates)
        self._tell(0, ())
        with ahead(chunks, depth=DEPTH) as made:
            for chunk in made:
                if self.stop():
                    complete = False
                    break
                if not chunk.size:
                    continue
                settled, rejects = work.settle(chunk, self.counts)
                self.counts += settled
                warnings += chunk.warnings
                for column, more in chunk.warning_lines.items():
                    lines[column] = [*lines.get(column, ()), *more][:LINES_TOLD]
                for attribute, dates in chunk.unread_dates.items():
                    unread[attribute].add(dates)
                self._tell(chunk.position, rejects)
        return BulkReport(
            enrolled=self.counts.enrolled,
            repeats=self.counts.repeats,
            rejected=self.counts.rejected,
            records=self.counts.records,
            warnings=dict(warnings),
            warning_lines=lines,
            unread_dates=dict(unread),
            workspace_timezone=self.timezone,
            short_lines=self.records.short_lines,
            latin1_lines=self.records.latin1_lines,
            rejects_path=self.rejects.path if self.rejects.exists else None,
            resumed_at=begun_with.records,
            wakeups_warning=work.wakeups_warning,
            complete=complete,
        )

    def _tell(self, position: int, rejects: Sequence[Reject]) -> None:
        self.rejects.done = self.counts.records
        self.progress(Progress(self.counts, position, self.source.size, rejects))
