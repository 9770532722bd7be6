"""Workers in this process, a sandbox beside them, and a world to look at."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.sandbox.ledger import read_entries
from deploy.sandbox.options import SandboxOptions
from deploy.sandbox.process import start_sandbox
from deploy.sandbox.settings import with_sandbox
from deploy.sandbox.state import Sandbox
from engine import clock
from engine.settings import Settings
from engine.wakeups import Wakeups
from producers.enroll_event import EnrollEvent, publish
from workers import process
from workers.channels import open_channels

GENEROUS = 60.0


def wait_for(state: Callable[[], bool], what: Callable[[], object] | str) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + GENEROUS
    while not state():
        assert time.monotonic() < deadline, f"waited in vain: {what() if callable(what) else what}"
        time.sleep(0.02)


@dataclass
class Site:
    """A world with workers and a sandbox."""

    world: Any
    settings: Settings
    sandbox: Sandbox
    wakeups: Wakeups

    @contextmanager
    def working(self, **changes: Any) -> Iterator[None]:
        """Workers run meanwhile, and end cleanly."""
        settings = self.settings.model_copy(update=changes)
        stop = threading.Event()
        thread = threading.Thread(target=process.run, args=(settings, 2, open_channels(settings), stop))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(GENEROUS)
            assert not thread.is_alive()

    def enroll(self, sequence: str, count: int = 1, **fields: Any) -> None:
        """Enroll new contacts by events."""
        for _ in range(count):
            self.world.enrolled += 1
            number = self.world.enrolled
            who = {"email": f"user{number}@example.com", "phone": f"+1202555{number:04}", **fields}
            publish(self.world.database, self.wakeups, EnrollEvent(sequence, **who))

    def until(self, *statuses: str) -> None:
        """Wait until the rows have these statuses."""
        wait_for(lambda: self.world.statuses() == list(statuses), lambda: (statuses, self.world.rows()))

    def accepted(self) -> Counter[tuple[str, str]]:
        """What the providers took: how often each recipient was sent each thing."""
        return Counter(
            (entry.to, entry.body or entry.subject or "")
            for entry in read_entries(self.sandbox.ledger)
            if entry.event == "accepted"
        )

    def jump(self, days: float) -> None:
        """Move the sequence clock ahead."""
        with self.world.database.transaction() as session:
            clock.advance(session, timedelta(days=days))


@pytest.fixture
def site(world: Any, settings: Settings, tmp_path: Path, redis_url: str) -> Iterator[Site]:
    quick = settings.model_copy(update={"retry_seconds": 0.2, "sweep_seconds": 0.5, "provider_timeout_seconds": 2})
    with start_sandbox(SandboxOptions(data_dir=tmp_path / "sandbox")) as child:
        wakeups = Wakeups(redis_url)
        yield Site(world, with_sandbox(quick, child.sandbox), child.sandbox, wakeups)
        wakeups.close()
