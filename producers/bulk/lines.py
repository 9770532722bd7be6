"""The physical lines of a source, decoded: they end with `\\n`, `\\r\\n` or a lone `\\r`."""

import codecs
import io
from collections.abc import Iterator
from typing import Final

from producers.bulk.source import Source

#: Bytes read at a time.
BLOCK: Final = 256 * 1024

#: Characters of a line; what is beyond is thrown away, so that a file without line breaks fits into memory.
MAX_LINE: Final = 1024 * 1024

#: Stands for bytes that are not of the encoding that was asked for: no decoder gives half a surrogate pair.
UNDECODABLE: Final = "\udcff"

_MARKING: Final = "cadenza.mark"
_WIDE: Final = ("utf-16", "utf16", "utf-32", "utf32")

#: What latin-1 files really mean by the bytes 0x80 to 0x9F: windows-1252, where it defines them.
_WINDOWS_1252: Final = {
    byte: bytes([byte]).decode("cp1252") for byte in range(0x80, 0xA0) if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}


class Lines:
    """Reads a source once, from its beginning, block by block."""

    def __init__(self, source: Source) -> None:
        """Go to the beginning."""
        source.rewind()
        self._source = source
        self.position = source.mark
        """Bytes read."""
        self.latin1 = 0
        """Lines that were not UTF-8 and were read as latin-1."""
        self.undecodable = False
        """Whether bytes were met that are not of the encoding that was asked for."""

    def __iter__(self) -> Iterator[str]:
        """Give line by line, each with its end."""
        for text in self._texts() if self._source.encoding is None else self._texts_as_told(self._source.encoding):
            yield from io.StringIO(text, newline="")

    def _texts(self) -> Iterator[str]:
        """Whole lines: UTF-8, and latin-1 where it isn't."""
        pending = b""
        while block := self._read():
            pending += block
            cut = max(pending.rfind(b"\n"), pending.rfind(b"\r", 0, len(pending) - 1)) + 1
            if cut:
                yield self._decoded(pending[:cut])
                pending = pending[cut:]
            elif len(pending) > MAX_LINE + BLOCK:
                pending = pending[: MAX_LINE + 1]
        if pending:
            yield self._decoded(pending)

    def _decoded(self, block: bytes) -> str:
        try:
            return block.decode()
        except UnicodeDecodeError:
            return "".join(map(self._decoded_line, block.splitlines(keepends=True)))

    def _decoded_line(self, line: bytes) -> str:
        try:
            return line.decode()
        except UnicodeDecodeError:
            self.latin1 += 1
            return line.decode("latin-1").translate(_WINDOWS_1252)

    def _texts_as_told(self, encoding: str) -> Iterator[str]:
        """Whole lines in the encoding; what isn't of it is marked."""
        codecs.register_error(_MARKING, _mark)
        decoder = codecs.getincrementaldecoder(encoding)(_MARKING)
        pending = ""
        while block := self._read():
            pending += self._noted(decoder.decode(block))
            cut = max(pending.rfind("\n"), pending.rfind("\r", 0, len(pending) - 1)) + 1
            if cut:
                yield pending[:cut]
                pending = pending[cut:]
            elif len(pending) > MAX_LINE + BLOCK:
                pending = pending[: MAX_LINE + 1]
        pending += self._noted(decoder.decode(b"", final=True))
        if pending:
            yield pending

    def _noted(self, text: str) -> str:
        self.undecodable = self.undecodable or UNDECODABLE in text
        return text

    def _read(self) -> bytes:
        block = self._source.file.read(BLOCK)
        self.position += len(block)
        return block


def _mark(error: UnicodeError) -> tuple[str, int]:
    """Mark one byte, so that a line break after it stays; in an encoding of wider units, one unit."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return UNDECODABLE, error.end if error.encoding.startswith(_WIDE) else error.start + 1
