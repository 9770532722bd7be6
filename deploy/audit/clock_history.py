"""What the sequence clock showed, and when: every segment, also those from before it went back."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from engine.clock import Segment

#: Real seconds for which what was in force may still be: a change is noticed when it commits, and within a second.
NOTICED: Final = 1.0


@dataclass(frozen=True, slots=True)
class ClockHistory:
    """All segments, the oldest first. Epoch seconds."""

    segments: Sequence[Segment]

    def highest(self, since: float, until: float) -> float:
        """The latest sequence time that the clock showed between two moments of real time."""
        ends = [segment.real_from + NOTICED for segment in self.segments[1:]] + [float("inf")]
        return max(
            (
                segment.sequence_at(min(end, until))
                for segment, end in zip(self.segments, ends, strict=True)
                if segment.real_from <= until and end >= since
            ),
            default=float("-inf"),
        )

    def shown_at(self, real: float) -> float:
        """The sequence time that the clock showed at a moment of real time."""
        return [segment for segment in self.segments if segment.real_from <= real][-1].sequence_at(real)

    def went_back_since(self, real: float) -> bool:
        """Whether somebody has set the clock back since."""
        return any(
            after.real_from + NOTICED >= real and after.sequence_from < before.sequence_at(after.real_from)
            for before, after in pairwise(self.segments)
        )
