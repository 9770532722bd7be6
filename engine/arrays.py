"""Arrays as Postgres takes them in binary, packed at once: psycopg's own dumper goes value by value."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import chain, repeat
from struct import Struct, pack
from typing import Any, ClassVar, Final

from psycopg import Connection
from psycopg.adapt import Dumper
from psycopg.pq import Format

_LENGTH: Final = Struct(">i")
_NULL: Final = _LENGTH.pack(-1)


class Packed(ABC):
    """Values of one type; the header of an array is its dimensions, whether it has nulls, and the type."""

    __slots__ = ("values",)

    ELEMENT: ClassVar[int]
    """The oid of the type."""
    ARRAY: ClassVar[int]
    """The oid of its arrays."""

    def __init__(self, values: Sequence[Any]) -> None:
        """Take the values."""
        self.values = values

    def packed(self) -> bytes:
        """The array in Postgres's binary format."""
        if not self.values:
            return pack(">iii", 0, 0, self.ELEMENT)
        return pack(">iiiii", 1, int(None in self.values), self.ELEMENT, len(self.values), 1) + self._body()

    @abstractmethod
    def _body(self) -> bytes:
        """The values, each behind its length."""


class _Fixed(Packed):
    """Values of a fixed size, none of them null."""

    __slots__ = ()

    CODE: ClassVar[str]
    SIZE: ClassVar[int]

    def _body(self) -> bytes:
        values = chain.from_iterable(zip(repeat(self.SIZE), self.values, strict=False))
        return pack(">" + ("i" + self.CODE) * len(self.values), *values)


class BigInts(_Fixed):
    """`bigint[]`."""

    __slots__ = ()
    ELEMENT, ARRAY, CODE, SIZE = 20, 1016, "q", 8


class Ints(_Fixed):
    """`integer[]`."""

    __slots__ = ()
    ELEMENT, ARRAY, CODE, SIZE = 23, 1007, "i", 4


class Floats(_Fixed):
    """`double precision[]`."""

    __slots__ = ()
    ELEMENT, ARRAY, CODE, SIZE = 701, 1022, "d", 8


class Texts(Packed):
    """`text[]`, with nulls."""

    __slots__ = ()
    ELEMENT, ARRAY = 25, 1009

    def _body(self) -> bytes:
        parts: list[bytes] = []
        for value in self.values:
            if value is None:
                parts.append(_NULL)
            else:
                encoded = value.encode()
                parts.append(_LENGTH.pack(len(encoded)))
                parts.append(encoded)
        return b"".join(parts)


def adapt_arrays(connection: "Connection[Any]") -> None:
    """Let a connection take them as parameters."""
    for kind in (BigInts, Ints, Floats, Texts):
        dumper = type(f"{kind.__name__}Dumper", (_Dumper,), {"oid": kind.ARRAY})
        connection.adapters.register_dumper(kind, dumper)


class _Dumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Packed) -> bytes:
        return obj.packed()
