"""Work ahead in another thread, so that reading and the database keep two cores busy."""

from collections.abc import Iterator
from contextlib import contextmanager
from queue import Full, Queue
from threading import Event, Thread
from typing import Final, Generic, TypeVar

T = TypeVar("T")

#: Real seconds after which a blocked thread looks whether it is still wanted.
_LOOK: Final = 0.1


class _End(Generic[T]):
    """What comes last: nothing more, or the error that ended it."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


@contextmanager
def ahead(items: Iterator[T], *, depth: int) -> Iterator[Iterator[T]]:
    """Go through the items, made by another thread that is at most `depth` ahead.

    An error of the items is raised here; leaving early ends the thread.
    """
    queue: Queue[T | _End[T]] = Queue(depth)
    unwanted = Event()

    def make() -> None:
        try:
            for item in items:
                if not put(item):
                    return
            put(_End())
        except BaseException as error:  # noqa: BLE001 (raised again by the thread that goes through the items)
            put(_End(error))

    def put(item: T | _End[T]) -> bool:
        while not unwanted.is_set():
            try:
                queue.put(item, timeout=_LOOK)
            except Full:
                continue
            return True
        return False

    def made() -> Iterator[T]:
        while True:
            item = queue.get()
            if not isinstance(item, _End):
                yield item
            elif item.error is not None:
                raise item.error
            else:
                return

    thread = Thread(target=make, name="reading ahead")
    thread.start()
    try:
        yield made()
    finally:
        unwanted.set()
        thread.join()
