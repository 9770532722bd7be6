"""How many rows a worker process may hold at once."""

from threading import Condition


class Room:
    """Counts the rows that are held; whoever brings more waits until there is room."""

    def __init__(self, size: int) -> None:
        """Make room for so many rows; a batch may overfill it, so that one always finds a way in."""
        self._size = size
        self._held = 0
        self._closed = False
        self._changed = Condition()

    @property
    def held(self) -> int:
        """The rows held now."""
        return self._held

    def enter(self, rows: int) -> None:
        """Bring rows in, as soon as there is room."""
        with self._changed:
            self._changed.wait_for(lambda: self._held < self._size or self._closed)
            self._held += rows

    def close(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def leave(self, rows: int) -> None:
        """Take rows out."""
        if rows:
            with self._changed:
                self._held -= rows
                self._changed.notify_all()
