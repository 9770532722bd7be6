"""A mutant: an edit of one file that switches one guard off, and the tests that must notice."""

from dataclasses import dataclass
from pathlib import Path

from engine.errors import CadenzaError


class Rotten(CadenzaError):  # noqa: N818 (what it is)
    """An edit does not fit the code any more, so the mutant proves nothing: the table must be brought up to date."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One guard, switched off."""

    name: str
    off: str
    """What does not hold any more, for a reader."""
    path: str
    """From the root of the tree."""
    old: str
    """Is there exactly once."""
    new: str
    tests: tuple[str, ...]
    """Some of these must fail; as pytest takes them."""

    def applied_to(self, text: str) -> str:
        """The file's text, changed.

        Raises:
            Rotten: the place to be changed is not there, or not just once.
        """
        times = text.count(self.old)
        if times != 1:
            raise Rotten(f"{self.name}: {self.path} has {self.old!r} {times} times, and must have it once")
        if self.old == self.new:
            raise Rotten(f"{self.name}: changes nothing")
        return text.replace(self.old, self.new)

    def check(self, root: Path) -> None:
        """Make sure that the edit fits and leaves Python behind, and that the files of its tests are there.

        Raises:
            Rotten: it does not.
        """
        changed = self.applied_to((root / self.path).read_text(encoding="utf-8"))
        if self.path.endswith(".py"):
            try:
                compile(changed, self.path, "exec")
            except SyntaxError as error:
                raise Rotten(f"{self.name}: {self.path} is no Python any more: {error}") from None
        for test in self.tests:
            file, _, name = test.partition("::")
            if f"def {name.partition('[')[0]}(" not in (root / file).read_text(encoding="utf-8"):
                raise Rotten(f"{self.name}: there is no test {test}")
