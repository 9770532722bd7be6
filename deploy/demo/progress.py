"""What the demo shows on standard error while it runs: bars on a terminal, lines elsewhere."""

import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from deploy.demo.state import State, ended
from schema.states import RowStatus

#: Real seconds between two lines where there is no terminal, and those that a rate is taken over.
LINE_SECONDS: Final = 3.0
RATE_SECONDS: Final = 2.0


class Progress:
    """Tells what happens."""

    def __init__(self) -> None:
        """Nothing to tell yet."""
        self._console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
        self._live: Live | None = None
        self._begun: datetime | None = None
        self._seen: deque[tuple[float, int]] = deque()
        self._line_at = float("-inf")

    def say(self, what: str) -> None:
        """Tell what comes next."""
        self._console.print(Text(f"demo: {what}", style="dim"))

    @contextmanager
    def watching(self, begun: datetime) -> Iterator[None]:
        """Show how it goes, from a moment of sequence time on."""
        self._begun = begun
        if not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, auto_refresh=False, transient=True) as self._live:
            yield

    def show(self, state: State, names: Mapping[str, str]) -> None:
        """Show a state; `names` are those of the sequences by their keys."""
        self._seen.append((time.monotonic(), state.sent))
        while self._seen[-1][0] - self._seen[0][0] > RATE_SECONDS:
            self._seen.popleft()
        if self._live is not None:
            self._live.update(self._bars(state, names), refresh=True)
        elif time.monotonic() - self._line_at >= LINE_SECONDS or not state.left:
            self._line_at = time.monotonic()
            self.say(self._line(state))

    def _line(self, state: State) -> str:
        return (
            f"{self._day(state):<22}  {state.sent:,} of {state.total:,} messages sent"
            f"{_others(state.counts)}, {self._rate():,.0f} a second"
        )

    def _bars(self, state: State, names: Mapping[str, str]) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for justify in ("left", "left", "right", "left"):
            table.add_column(justify=justify, no_wrap=True)
        for key, name in names.items():
            counts = state.rows.get(key, Counter())
            bar = ProgressBar(total=max(1, counts.total()), completed=ended(counts), width=32, finished_style="green")
            sent = f"{counts[RowStatus.SENT]:,} of {counts.total():,} sent"
            table.add_row(name, bar, sent, _others(counts).removeprefix(", "))
        head = Text.assemble((self._day(state), "bold"), f"   {self._rate():,.0f} messages a second")
        return Group(head, table)

    def _day(self, state: State) -> str:
        days = (state.now - self._begun).days if self._begun else 0
        return f"day {days + 1:>2}, {state.now:%a %d %b %Y}"

    def _rate(self) -> float:
        (first, before), (last, now) = self._seen[0], self._seen[-1]
        return (now - before) / (last - first) if last > first else 0.0


def _others(counts: Counter[str]) -> str:
    """What ended otherwise or is in doubt, if anything did."""
    told = (RowStatus.FAILED, RowStatus.SKIPPED, RowStatus.CANCELLED, RowStatus.UNKNOWN, RowStatus.REVIEW)
    return "".join(f", {counts[status]:,} {status}" for status in told if counts[status])
