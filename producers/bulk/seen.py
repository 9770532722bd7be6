"""A set of 64-bit numbers in eight to thirty-two bytes each: the keys of a large file, met so far."""

from array import array
from typing import Final

_MASK: Final = (1 << 64) - 1
_FIRST_SLOTS: Final = 1 << 16


class Seen:
    """Open addressing in an array that is at most half full."""

    def __init__(self) -> None:
        """Have seen nothing."""
        self._slots = array("Q", bytes(8 * _FIRST_SLOTS))
        self._count = 0

    def __len__(self) -> int:
        """How many were added."""
        return self._count

    def __contains__(self, number: int) -> bool:
        """Whether it was added."""
        number = number & _MASK or 1
        return self._slots[self._slot(number)] == number

    def add(self, number: int) -> None:
        """Add a number; those that agree in their last 64 bits are the same."""
        number = number & _MASK or 1
        slot = self._slot(number)
        if self._slots[slot] != number:
            self._slots[slot] = number
            self._count += 1
            if self._count * 2 > len(self._slots):
                self._grow()

    def _slot(self, number: int) -> int:
        """Where the number is, or the empty slot where it belongs."""
        slots = self._slots
        last = len(slots) - 1
        slot = number & last
        while (there := slots[slot]) and there != number:
            slot = (slot + 1) & last
        return slot

    def _grow(self) -> None:
        before = self._slots
        self._slots = array("Q", bytes(8 * 2 * len(before)))
        for number in before:
            if number:
                self._slots[self._slot(number)] = number
