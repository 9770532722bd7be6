"""The ledger: what the sandbox accepted and refused, one JSON object a line, for an auditor to read."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias, cast

from engine.errors import InvalidInput, StorageFull

ChannelName: TypeAlias = Literal["sms", "email"]
Event: TypeAlias = Literal["accepted", "refused"]

#: What every line begins with.
LINE_START = b'{"at":'


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the ledger: a message to one recipient, accepted or refused."""

    at: float
    """Real epoch seconds by the sandbox's host."""
    channel: ChannelName
    event: Event
    id: str | None = None
    """The SID; for email the Message-ID header with its <>. None when refused before it was known."""
    to: str | None = None
    sender: str | None = None
    """`from` in the file. For email the envelope's."""
    messaging_service_sid: str | None = None
    body: str | None = None
    subject: str | None = None
    raw: str | None = None
    """An email as it came in, decoded as UTF-8 with surrogateescape."""
    media: tuple[str, ...] = ()
    status_callback: str | None = None
    code: int | str | None = None
    """Why it was refused: Twilio's error code, or the SMTP reply's code with its enhanced one."""
    fault: str | None = None
    """The id of the fault that struck at this message."""

    def content(self, subtype: Literal["plain", "html"]) -> str | None:
        """The text or the HTML of an email, decoded, with line feeds; None if it has none."""
        if self.raw is None:
            return None
        source = self.raw.encode("utf-8", "surrogateescape")
        message = message_from_bytes(source, policy=policy.default)
        part = message.get_body(preferencelist=(subtype,))
        return None if part is None else cast(str, part.get_content()).replace("\r\n", "\n")

    def to_line(self) -> bytes:
        """The line, with its line feed; what is not there is left out."""
        known = {
            "from" if name == "sender" else name: value
            for name in self.__slots__
            if (value := getattr(self, name)) is not None and value != ()
        }
        return json.dumps(known, separators=(",", ":")).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Self:
        """Read a line; raises ValueError or TypeError when it is none of ours."""
        known: dict[str, Any] = json.loads(line)
        if "from" in known:
            known["sender"] = known.pop("from")
        known["media"] = tuple(known.get("media", ()))
        return cls(**known)


#: An entry whose event is `accepted`.
Acceptance: TypeAlias = Entry


class LedgerWriter:
    """Appends to a ledger; what `write` has returned from survives a crash of this process."""

    def __init__(self, path: Path, *, fresh: bool = False) -> None:
        """Open the ledger; a last line that an earlier process left unfinished was never answered and is removed.

        Raises:
            InvalidInput: the file can't be opened or is no ledger.
        """
        self.path = path
        self.counts: Counter[tuple[ChannelName, Event]] = Counter()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise InvalidInput(f"the sandbox's ledger {path} can't be opened: {error.strerror}") from None
        start = os.pread(self._file, len(LINE_START), 0)
        if start != LINE_START[: len(start)]:
            self.close()
            raise InvalidInput(f"{path} is not a sandbox's ledger: name another file, it stays as it is")
        os.ftruncate(self._file, 0 if fresh else _whole_lines(path))

    def write(self, *entries: Entry) -> None:
        """Append entries, all or none, and hand them to the operating system.

        Raises:
            StorageFull: they could not be written.
        """
        lines = b"".join([entry.to_line() for entry in entries])
        try:
            written = os.write(self._file, lines)
            if written < len(lines):
                os.ftruncate(self._file, os.fstat(self._file).st_size - written)
        except OSError as error:
            raise StorageFull(f"the sandbox's ledger {self.path} can't be written: {error.strerror}") from None
        if written < len(lines):
            raise StorageFull(f"the sandbox's ledger {self.path} can't be written: make room on its disk")
        self.counts.update((entry.channel, entry.event) for entry in entries)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()


def read_entries(path: Path) -> Iterator[Entry]:
    """Read a ledger, the oldest entry first, also while it is written: an unfinished last line is left out.

    Raises:
        InvalidInput: the file can't be read, or a line is none of ours.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    return
                try:
                    yield Entry.from_line(line)
                except (ValueError, TypeError, AttributeError):
                    raise InvalidInput(f"{path}, line {number}: not an entry of a sandbox's ledger") from None
    except OSError as error:
        raise InvalidInput(f"the sandbox's ledger {path} can't be read: {error.strerror}") from None


def read_ledger(path: Path) -> Iterator[Acceptance]:
    """Read what a ledger says was accepted, the oldest first; raises as `read_entries` does."""
    return (entry for entry in read_entries(path) if entry.event == "accepted")


def _whole_lines(path: Path) -> int:
    """How many bytes of a file are whole lines."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - 65536)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            end = start
    return 0
