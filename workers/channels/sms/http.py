"""HTTP/1.1 as far as one answer after the other goes (RFC 9112)."""

import re
from typing import Final, NamedTuple

from workers.channels.wire import Broken, Wire

#: The longest head and body of an answer. Twilio's take about one kilobyte.
LONGEST_HEAD: Final = 65_536
LONGEST_BODY: Final = 8 * 1024 * 1024

_END_OF_HEAD: Final = re.compile(rb"\r?\n\r?\n")
_STATUS: Final = re.compile(rb"HTTP/1\.([01]) ([1-9]\d\d)(?: .*)?")
_CHUNK: Final = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;[^\n]*)?\r?\n")

#: What is read of an answer's headers.
_READ: Final = frozenset(
    (b"content-length", b"transfer-encoding", b"content-encoding", b"connection", b"retry-after", b"date")
)


class Answer(NamedTuple):
    """What a server answered."""

    status: int
    body: bytes
    retry_after: str | None
    date: str | None


class _Head(NamedTuple):
    status: int
    headers: dict[bytes, bytes]
    length: int | None
    """Of the body; None: until the connection ends, or in chunks."""
    chunked: bool
    lasts: bool
    """Whether the connection may be used again."""


class HttpWire(Wire):
    """A connection that carries one request at a time."""

    def __init__(self) -> None:
        """Wait to be connected."""
        super().__init__()
        self._data = b""
        self._head: _Head | None = None
        self.idle_since = 0.0
        self.may_be_kept = False
        """Whether another request may follow the last answer."""

    def take(self, data: bytes) -> None:
        """Add to what came before."""
        self._data = self._data + data if self._data else data

    @property
    def has_unread(self) -> bool:
        """Whether something came that nobody asked for."""
        return bool(self._data)

    async def ask(self, request: bytes, *, body: bool = True) -> Answer:
        """Send a request, wait for the answer and read all of it. Without `body`: a good answer has none.

        Raises:
            OSError: the answer did not come, or is none of HTTP.
        """
        self.may_be_kept = False
        self.write(request)
        while True:
            if self._head is None:
                self._head = self._read_head()
            if (head := self._head) is not None:
                content = self._read_body(head) if body or head.status >= 300 else b""
                if content is not None:
                    self._head = None
                    self.may_be_kept = head.lasts and not self._data and self.is_open
                    return Answer(
                        head.status, content, _text(head.headers.get(b"retry-after")), _text(head.headers.get(b"date"))
                    )
            if not self.is_open:
                raise self.over()
            await self.wait()

    def _read_head(self) -> _Head | None:
        """Take a head, if all of it has come; those that only say to wait are left out."""
        while True:
            end = _END_OF_HEAD.search(self._data, 0, LONGEST_HEAD)
            if end is None:
                if len(self._data) > LONGEST_HEAD:
                    raise Broken("the head of the answer is too long")
                return None
            head = _parse(self._data[: end.start()])
            self._data = self._data[end.end() :]
            if head.status >= 200:
                return head

    def _read_body(self, head: _Head) -> bytes | None:
        """Take a body, if all of it has come."""
        if len(self._data) > LONGEST_BODY:
            raise Broken("the answer is too long")
        if head.chunked:
            return self._read_chunks()
        if head.length is None:
            if self.is_open:
                return None
            body, self._data = self._data, b""
            return body
        if len(self._data) < head.length:
            return None
        body, self._data = self._data[: head.length], self._data[head.length :]
        return body

    def _read_chunks(self) -> bytes | None:
        parts: list[bytes] = []
        data, start = self._data, 0
        while True:
            size = _CHUNK.match(data, start)
            if size is None:
                if b"\n" in data[start:] or len(data) - start > LONGEST_HEAD:
                    raise Broken("the answer has no proper chunks")
                return None
            length = int(size[1], 16)
            if length == 0:
                break
            start = size.end() + length
            parts.append(data[size.end() : start])
            ending = data[start : start + 2]
            if len(ending) < 2:
                return None
            if ending != b"\r\n":
                raise Broken("the answer has no proper chunks")
            start += 2
        trailer = data[size.end() :]
        if trailer.startswith(b"\r\n"):
            self._data = trailer[2:]
            return b"".join(parts)
        end = _END_OF_HEAD.search(trailer)
        if end is None:
            return None
        self._data = trailer[end.end() :]
        return b"".join(parts)


def _parse(head: bytes) -> _Head:
    first, *lines = head.split(b"\n")
    status = _STATUS.fullmatch(first.rstrip(b"\r"))
    if status is None:
        raise Broken("the answer is not HTTP")
    headers: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not name or name[-1:].isspace():
            raise Broken("the answer has a header that is none")
        name = name.lower()
        if name in _READ:
            value = value.strip()
            if name == b"content-length" and headers.get(name, value) != value:
                raise Broken("the answer has two lengths")
            headers[name] = value
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise Broken("the answer is encoded, though nobody asked for that")
    chunked = b"transfer-encoding" in headers
    if chunked and headers[b"transfer-encoding"].lower() != b"chunked":
        raise Broken("the answer has a transfer encoding that nobody asked for")
    code = int(status[2])
    length = 0 if code in (204, 304) or code < 200 else _length(headers.get(b"content-length"))
    connection = headers.get(b"connection", b"").lower()
    lasts = b"close" not in connection if status[1] == b"1" else b"keep-alive" in connection
    return _Head(code, headers, length, chunked, lasts and (chunked or length is not None))


def _length(value: bytes | None) -> int | None:
    if value is None:
        return None
    if not value.isdigit() or len(value) > 12:
        raise Broken("the answer has a length that is none")
    return int(value)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
