"""One connection through the proxy: two sockets, and what passes between them."""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from deploy.chaos.trap import Ear, Moment, Strike, Trap, Way

#: SO_LINGER on, for zero seconds: closing sends RST.
NO_LINGER: Final = struct.pack("ii", 1, 0)


class Link:
    """Passes bytes both ways until one side ends, or until it is struck. Lives in the proxy's loop."""

    def __init__(self, traps: Sequence[Trap], struck: Callable[[Strike], None], gone: Callable[["Link"], None]) -> None:
        """Prepare; `traps` are those in force, `struck` and `gone` are told when it was struck and has ended."""
        self.ends: dict[Way, End] = {}
        """By where their bytes go: UP is the client's end, DOWN the server's."""
        self.stalled: set[Way] = set()
        self.struck_by: Trap | None = None
        self._held: dict[Way, deque[bytes]] = {Way.UP: deque(), Way.DOWN: deque()}
        self._ears: dict[int, Ear] = {}
        self._awaited: dict[Way, Trap] = {}
        self._traps = traps
        self._struck = struck
        self._gone = gone
        self._ended = False

    def joined(self, end: "End") -> None:
        """A side is connected; what the other has said meanwhile is passed on."""
        self.ends[end.way] = end
        if self._ended:
            end.close()
        else:
            self._flush(end.way.back)

    def said(self, way: Way, data: bytes) -> None:
        """A side has said something."""
        if self._ended:
            return
        awaited = self._awaited.pop(way, None)
        if awaited is not None:
            self._held[way].append(data)
            self._strike(awaited)
            return
        for trap in self._traps:
            if trap.way is not way:
                continue
            ear = self._ears.setdefault(id(trap), Ear(trap))
            before = ear.hear(data)
            if before is not None and trap.spring():
                self._spring(trap, data, before)
                return
        self._pass(way, data)

    def _spring(self, trap: Trap, data: bytes, before: int) -> None:
        way = trap.way
        if trap.after_bytes is not None:
            self._pass(way, data[:before])
            self._held[way].append(data[before:])
            self._strike(trap)
        elif trap.moment is Moment.BEFORE:
            self._held[way].append(data)
            self._strike(trap)
        elif trap.moment is Moment.AFTER:
            self._pass(way, data)
            self._strike(trap)
        else:
            self._awaited[way.back] = trap
            self._pass(way, data)

    def _strike(self, trap: Trap) -> None:
        self.struck_by = trap
        match trap.strike:
            case Strike.STALL:
                self.stalled.update(Way)
            case Strike.CUT:
                self.close()
            case Strike.RESET:
                self.close(reset=True)
        self._struck(trap.strike)
        trap.strikes()

    def stall(self, *ways: Way) -> None:
        """Pass nothing any more, both ways unless told which."""
        self.stalled.update(ways or Way)

    def release(self) -> None:
        """Pass on what was held, and all that follows."""
        self.stalled.clear()
        for way in Way:
            self._flush(way)

    def close(self, *, reset: bool = False) -> None:
        """End both sides; what is held is never passed on."""
        if self._ended:
            return
        self._ended = True
        for end in self.ends.values():
            end.close(reset=reset and end.way is Way.UP)
        self._gone(self)

    def pause(self, way: Way, *, paused: bool) -> None:
        """Let a side speak no faster than the other can hear."""
        if (end := self.ends.get(way)) is not None:
            end.pause(paused=paused)

    def _pass(self, way: Way, data: bytes) -> None:
        if way in self.stalled or way.back not in self.ends or self._held[way]:
            self._held[way].append(data)
        else:
            self.ends[way.back].write(data)

    def _flush(self, way: Way) -> None:
        held = self._held[way]
        while held and way not in self.stalled and way.back in self.ends:
            self.ends[way.back].write(held.popleft())


class End(asyncio.Protocol):
    """One side of a connection; `way` is where what it says goes."""

    def __init__(self, link: Link, way: Way) -> None:
        """Prepare."""
        self.link = link
        self.way = way
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
        self.link.joined(self)

    def data_received(self, data: bytes) -> None:
        """It speaks."""
        self.link.said(self.way, data)

    def connection_lost(self, _error: Exception | None) -> None:
        """It is gone, and so the other side has to go."""
        self.link.close()

    def pause_writing(self) -> None:
        """It does not keep up with what is written to it."""
        self.link.pause(self.way.back, paused=True)

    def resume_writing(self) -> None:
        """It does again."""
        self.link.pause(self.way.back, paused=False)

    def write(self, data: bytes) -> None:
        """Say something to it."""
        if self._transport is not None:
            self._transport.write(data)

    def pause(self, *, paused: bool) -> None:
        """Do not listen to it, or listen again."""
        if self._transport is not None and not self._transport.is_closing():
            if paused:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def close(self, *, reset: bool = False) -> None:
        """Close it, once it has been told all; a reset throws that away."""
        if self._transport is None:
            return
        if reset:
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
            self._transport.abort()
        else:
            self._transport.close()
