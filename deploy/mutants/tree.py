"""A copy of the tree in which guards are switched off; the tree itself is never changed."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from deploy.mutants.mutant import Mutant, Rotten

ROOT: Final = Path(__file__).parents[2]

#: What is made here and is no part of the tree. No bytecode is copied or written: a file that is changed twice within
#: a second may have the same time and size.
LEFT_OUT: Final = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "bench.json")

WHERE_FROM: Final = "import deploy, engine, producers, schema, workers as w; print(engine.__file__, w.__file__)"


class Tree:
    """The copy, and how programs run in it."""

    def __init__(self, root: Path, environment: Mapping[str, str]) -> None:
        """Make sure that programs find the copy's packages, not those that `.venv` knows.

        Raises:
            Rotten: they don't.
        """
        self.root = root
        self.environment = {
            **os.environ,
            **environment,
            "PYTHONPATH": str(root),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        found = self.run(sys.executable, "-c", WHERE_FROM).stdout.split()
        if not found or not all(Path(file).is_relative_to(root) for file in found):
            raise Rotten(f"the copy of the tree is not what is imported there, but {found}")

    def run(self, *command: str, timeout: float | None = None) -> "subprocess.CompletedProcess[str]":
        """Run a program to its end."""
        return subprocess.run(
            command,
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    @contextmanager
    def without(self, mutant: Mutant) -> Iterator[None]:
        """The copy without that guard, for a while.

        Raises:
            Rotten: the edit does not fit.
        """
        file = self.root / mutant.path
        text = file.read_text(encoding="utf-8")
        file.write_text(mutant.applied_to(text), encoding="utf-8")
        try:
            yield
        finally:
            file.write_text(text, encoding="utf-8")


@contextmanager
def copied_tree(environment: Mapping[str, str]) -> Iterator[Tree]:
    """A copy of the tree as it is now, with all that is not committed yet."""
    with tempfile.TemporaryDirectory(prefix="cadenza-mutants-") as folder:
        if os.geteuid() == 0:
            Path(folder).chmod(0o711)  # servers of tests run as another user then
        copy = Path(folder).resolve() / "tree"
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT, symlinks=True)
        yield Tree(copy, environment)
