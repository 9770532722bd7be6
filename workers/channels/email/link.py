"""An SMTP connection as lines."""

from collections import deque
from typing import Final

from workers.channels.wire import Broken, Wire

#: The longest line that is read, as smtplib has it. RFC 5321 section 4.5.3.1.5 has 512 octets.
LONGEST_LINE: Final = 8192


class Link(Wire):
    """A connection that is read line by line."""

    def __init__(self) -> None:
        """Wait to be connected."""
        super().__init__()
        self._lines: deque[bytes] = deque()
        self._rest = b""

    def take(self, data: bytes) -> None:
        """Cut into lines."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._lines.extend(lines)

    @property
    def has_unread(self) -> bool:
        """Whether something came that nobody has read."""
        return bool(self._lines or self._rest)

    async def line(self) -> bytes:
        """Return the next line, or what came of it before the connection ended.

        Raises:
            Broken: the connection has ended, or the line is too long.
        """
        while not self._lines:
            if len(self._rest) > LONGEST_LINE:
                raise Broken("a line is too long")
            if not self.is_open:
                if not self._rest:
                    raise self.over()
                self._lines.append(self._rest)
                self._rest = b""
                break
            await self.wait()
        line = self._lines.popleft()
        if len(line) > LONGEST_LINE:
            raise Broken("a line is too long")
        return line
