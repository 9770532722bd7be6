"""What is wrong with a sequence file: all of it at once."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

#: How much of what was written is repeated in a message, in characters.
QUOTED: Final = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and what is expected instead."""

    line: int | None
    """The line of the file, from 1."""
    step: str | None
    """The key of the step, or its number, as in `#3`, where it has no key."""
    message: str

    def __str__(self) -> str:
        """The problem in one line, without the file."""
        return f"step {self.step}: {self.message}" if self.step else self.message


class InvalidDefinition(Exception):  # noqa: N818 (the field says "invalid", and so do we)
    """The text is not a sequence that can be published."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Put the problems in the order of their lines."""
        self.problems: tuple[Problem, ...] = tuple(
            sorted(dict.fromkeys(problems), key=lambda problem: problem.line or 0)
        )
        super().__init__(*self.problems)

    def about(self, file: object) -> str:
        """Return the problems, one a line, each with the file and its line there."""
        return "\n".join(
            f"{file}:{problem.line}: {problem}" if problem.line else f"{file}: {problem}" for problem in self.problems
        )

    def __str__(self) -> str:
        """The problems, one a line."""
        return "\n".join(
            f"line {problem.line}: {problem}" if problem.line else str(problem) for problem in self.problems
        )


def quoted(text: str) -> str:
    """What was written, in quotes and in one line, cut short."""
    return repr(text if len(text) <= QUOTED else text[: QUOTED - 1] + "…")


def did_you_mean(written: str, known: Iterable[str]) -> str:
    """A question about the nearest known word, to be put behind a message; empty if none is near."""
    spelt = {word.lower(): word for word in known}
    guesses = get_close_matches(written.lower(), spelt, n=1, cutoff=0.6)
    return f" (did you mean {spelt[guesses[0]]!r}?)" if guesses else ""
