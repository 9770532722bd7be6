"""Where the demo keeps its things: a folder of its own in the data folder, new at every run."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.clean import clean
from deploy.local.data_dir import DataDir
from deploy.local.locks import try_lock
from engine.errors import Unavailable


@dataclass(frozen=True, slots=True)
class Place:
    """The folder."""

    path: Path

    @property
    def ledger(self) -> Path:
        """What the providers accepted."""
        return self.path / "sandbox.ledger.ndjson"

    @property
    def workers_log(self) -> Path:
        """What the worker processes say."""
        return self.path / "workers.log"

    def rejects(self, sequence: str) -> Path:
        """What could not be enrolled in a sequence."""
        return self.path / f"{sequence}.rejected.csv"


@contextmanager
def own_place(data_dir: Path) -> Iterator[Place]:
    """An empty folder in the data folder that no other demo uses meanwhile; it stays, to be looked at.

    Raises:
        Unavailable: another demo runs there, or the folder can't be made.
    """
    whole = DataDir(data_dir)
    whole.create()
    try:
        lock = try_lock(data_dir / "demo.lock")
    except OSError as error:
        raise whole.refusal(error) from None
    if lock is None:
        raise Unavailable(f"another demo runs in {shown(data_dir)}: wait until it has ended, or set CADENZA_DATA_DIR")
    try:
        clean(data_dir / "demo")
        DataDir(data_dir / "demo").create()
        yield Place(data_dir / "demo")
    finally:
        lock.release()


def shown(path: Path) -> Path:
    """A path as people read it: from here, if it is below."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
