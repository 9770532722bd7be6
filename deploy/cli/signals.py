"""How a process in the foreground is told to end."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event


@contextmanager
def told_to_stop() -> Iterator[Event]:
    """An event that SIGTERM and SIGINT (Ctrl-C) set."""
    stop = Event()
    before = {
        number: signal.signal(number, lambda _number, _frame: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
