"""A progress bar of bulk enrollment on standard error, with its rate and the time that is left."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from producers.bulk.run import Progress as Report

#: So many rejects are shown on the screen; the file has them all.
SHOWN: Final = 10


class EnrollProgress:
    """Shows how far a run has come: a bar on a terminal, nothing elsewhere; and the first rejects in both cases."""

    def __init__(self) -> None:
        """Prepare."""
        self._console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
        self._bar = Progress(
            TextColumn("enrolling"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[records]:,} records"),
            TextColumn("{task.fields[rate]:,.0f}/s"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("enroll", total=None, records=0, rate=0.0)
        self._begun_with: int | None = None
        self._rejects = 0

    def __enter__(self) -> Self:
        """Show it."""
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take it away."""
        self._bar.stop()

    def show(self, report: Report) -> None:
        """Show how far the run has come."""
        records = report.done.records
        if self._begun_with is None:
            self._begun_with = records
        seconds = self._bar.tasks[0].elapsed or 0.0
        rate = (records - self._begun_with) / seconds if seconds else 0.0
        self._bar.update(self._task, completed=report.position, total=report.size, records=records, rate=rate)
        for reject in report.rejects:
            self._rejects += 1
            if self._rejects <= SHOWN:
                self._console.print(f"line {reject.line}: {reject.reason}")
            elif self._rejects == SHOWN + 1:
                self._console.print("more lines are rejected: the rejects file has them all")


@contextmanager
def counting(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show how many of a number of enrollments are done: a bar on a terminal, nothing elsewhere."""
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    columns = (TextColumn(what), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.advance(task, done)
