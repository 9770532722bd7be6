"""What the earlier lines of a file said of each person, so that a line that contradicts one of them is found."""

import unicodedata
from array import array
from typing import Final

from producers.people import KEYS, Person

#: What can contradict an earlier line: the keys, and the person's names. Of everything else the newer value wins.
FIELDS: Final = (*KEYS, "first_name", "last_name")

_WIDTH: Final = len(FIELDS)
_MASK: Final = (1 << 64) - 1
_FIRST_SLOTS: Final = 1 << 12


class EarlierLines:
    """The people of the lines so far, in 60 bytes each, and 16 to 32 bytes more for each of their keys.

    It keeps digests of 64 bits and line numbers, not values. Two lines with the same digest of a key are taken for one
    person. In a file of a million lines with three keys each, two different keys have the same digest with a
    probability of 1 in 4 million.
    """

    def __init__(self) -> None:
        """Begin before the first line of a file."""
        self._digests = array("Q")
        """For each person the digest of each of the fields; 0: no line has given it."""
        self._lines = array("I")
        """For each person the line that gave each of the fields; 0: none."""
        self._slots = array("Q", bytes(8 * _FIRST_SLOTS))
        """Open addressing, at most half full: 1 + the place of a key in `_digests`; 0: empty."""
        self._keys = 0

    def contradiction(self, person: Person, line: int) -> str | None:
        """Return how a line contradicts an earlier one; None: it does not, and is an earlier line from now on.

        `line` is the physical line on which the record starts. A line that contradicts an earlier one is not kept.
        """
        digests = _digests(person)
        known: dict[int, int] = {}
        """By the person's first place in `_digests`: the field by which it was found."""
        for field in range(len(KEYS)):
            if digests[field] and (place := self._slots[self._slot(digests[field], field)]):
                known.setdefault((place - 1) // _WIDTH * _WIDTH, field)
        if len(known) > 1:
            return self._several(known, person)
        for begin, field in known.items():
            before = self._digests[begin : begin + _WIDTH]
            for other, (old, new) in enumerate(zip(before, digests, strict=True)):
                if old and new and old != new:
                    return self._contradicted(begin, field, other, person)
        self._keep(next(iter(known), len(self._digests)), digests, line)
        return None

    def _contradicted(self, begin: int, field: int, other: int, person: Person) -> str:
        """Return that a person, known by one field, has another value of another one."""
        met, gave = self._lines[begin + field], self._lines[begin + other]
        where = "with" if gave == met else f"and line {gave} gives that contact"
        return (
            f"{_shown(person, field)} is also on line {met}, {where} another {FIELDS[other]} than"
            f" {_value(person, other)!r}: correct or remove one of the lines"
        )

    def _several(self, known: dict[int, int], person: Person) -> str:
        """Return that the keys of a line are those of several people."""
        found = [f"{_shown(person, field)} is on line {self._lines[begin + field]}" for begin, field in known.items()]
        return f"{', but '.join(found)}, which is another contact: correct or remove one of the lines"

    def _keep(self, begin: int, digests: list[int], line: int) -> None:
        """Note what a line adds to what is known of a person."""
        if begin == len(self._digests):
            self._digests.extend([0] * _WIDTH)
            self._lines.extend([0] * _WIDTH)
        for field, digest in enumerate(digests):
            place = begin + field
            if digest and not self._digests[place]:
                self._digests[place] = digest
                self._lines[place] = line
                if field < len(KEYS):
                    self._slots[self._slot(digest, field)] = place + 1
                    self._keys += 1
        if self._keys * 2 > len(self._slots):
            self._grow()

    def _grow(self) -> None:
        before = self._slots
        self._slots = array("Q", bytes(8 * 2 * len(before)))
        for place in before:
            if place:
                self._slots[self._slot(self._digests[place - 1], (place - 1) % _WIDTH)] = place

    def _slot(self, digest: int, field: int) -> int:
        """Return where the key is, or the empty slot where it belongs."""
        slots, digests = self._slots, self._digests
        last = len(slots) - 1
        slot = digest & last
        while (place := slots[slot]) and not (digests[place - 1] == digest and (place - 1) % _WIDTH == field):
            slot = (slot + 1) & last
        return slot


def _digests(person: Person) -> list[int]:
    """Return a number of 64 bits for each field of a person; 0: it has no value."""
    names = (person.first_name, person.last_name)
    values = (person.external_id, person.email_key, person.phone, *map(_alike, names))
    return [0 if value is None else hash(value) & _MASK or 1 for value in values]


def _alike(name: str | None) -> str | None:
    """Return a name such that those which differ in case, spaces or the form of their letters only are the same."""
    if name is None:
        return None
    return " ".join((name if name.isascii() else unicodedata.normalize("NFKC", name)).casefold().split())


def _value(person: Person, field: int) -> str | None:
    return (person.external_id, person.email, person.phone, person.first_name, person.last_name)[field]


def _shown(person: Person, field: int) -> str:
    return f"{FIELDS[field]} {_value(person, field)!r}"
