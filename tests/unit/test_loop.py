"""Work that goes on whatever fails meanwhile."""

from threading import Event

import pytest
import structlog

from engine.errors import Unavailable
from workers import loop
from workers.loop import Loop


def test_nothing_that_fails_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that died would be missed by nobody, and its work by everybody."""
    monkeypatch.setattr(loop, "PAUSE", 0.01)
    fails: list[Exception] = [KeyError("unforeseen"), Unavailable("Redis: away"), ZeroDivisionError()]
    done = Event()

    def turn(_stop: Event) -> float:
        if fails:
            raise fails.pop(0)
        done.set()
        return 1

    with structlog.testing.capture_logs() as logs:
        work = Loop("work", turn)
        assert done.wait(30)
        work.stop()
    assert [entry["log_level"] for entry in logs] == ["error", "warning", "error"]
