"""A port that clients come to: it can stop listening and start again, and keeps its number meanwhile."""

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import TypeAlias, cast

from deploy.sandbox.fault import TOLD_TO_FAIL, Kind, Stage
from deploy.sandbox.fault_board import Fault, FaultBoard
from deploy.sandbox.ledger import ChannelName
from engine.errors import Unavailable

ProtocolFactory: TypeAlias = Callable[[], asyncio.BaseProtocol]

BACKLOG = 1024


class Door:
    """A listening port on a loopback address."""

    def __init__(self, host: str, port: int, what: str) -> None:
        """Name the port, 0 for a free one; `open` takes it."""
        self.host = host
        self.port = port
        self._what = what
        self._reservation: socket.socket | None = None
        self._server: asyncio.Server | None = None

    async def open(self, protocol: ProtocolFactory) -> None:
        """Listen, if it doesn't already; each connection gets a protocol.

        Raises:
            Unavailable: the port can't be had.
        """
        if self._reservation is None:
            self._reservation = self._reserve()
            self.port = self._reservation.getsockname()[1]
        if self._server is None:
            loop = asyncio.get_running_loop()
            listener = _bind(self.host, self.port)
            self._server = await loop.create_server(protocol, sock=listener, backlog=BACKLOG)

    def shut(self) -> None:
        """Stop listening: from now on connections are refused. Those that there are stay."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def leave(self) -> None:
        """Stop listening and give the port back."""
        self.shut()
        if self._reservation is not None:
            self._reservation.close()
            self._reservation = None

    def _reserve(self) -> socket.socket:
        try:
            if self.port:
                _make_sure_it_is_free(self.host, self.port)
            return _bind(self.host, self.port)
        except OSError as error:
            raise Unavailable(
                f"the sandbox's {self._what} can't listen on {self.host}:{self.port}: {error.strerror};"
                " choose another port, or 0 for a free one"
            ) from None


class Turnaway(asyncio.Protocol):
    """A connection that a fault strikes before anything is read."""

    def __init__(self, fault: Fault, those_waiting: "set[asyncio.Transport]") -> None:
        """Take the fault, and the set in which connections without an answer are kept."""
        self._fault = fault
        self._those_waiting = those_waiting
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the fault strike."""
        self._transport = cast(asyncio.Transport, transport)
        spec = self._fault.spec
        if spec.kind is Kind.RESET:
            reset(self._transport)
        elif spec.kind is Kind.SILENCE:
            self._those_waiting.add(self._transport)
        else:
            if spec.kind is Kind.REPLY:
                self._transport.write(f"{spec.code} {spec.text or TOLD_TO_FAIL}\r\n".encode())
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        if self._transport is not None:
            self._those_waiting.discard(self._transport)


class Doorkeeper:
    """Gives each connection its protocol, or the one of a fault at connect."""

    def __init__(self, channel: ChannelName, board: FaultBoard, protocol: ProtocolFactory) -> None:
        """Keep a channel's door."""
        self._channel = channel
        self._board = board
        self._protocol = protocol
        self._those_waiting: set[asyncio.Transport] = set()

    def __call__(self) -> asyncio.BaseProtocol:
        """The protocol of a new connection."""
        strike = self._board.pick(self._channel, Stage.CONNECT)
        if strike is None or strike.fault is None:
            return self._protocol()
        return Turnaway(strike.fault, self._those_waiting)

    def close(self) -> None:
        """Close the connections that no one will ever answer."""
        for transport in list(self._those_waiting):
            transport.abort()


def reset(transport: asyncio.Transport) -> None:
    """End a connection with RST at once; what was not sent is lost (socket(7), SO_LINGER)."""
    connection = transport.get_extra_info("socket")
    if connection is not None and not transport.is_closing():
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _make_sure_it_is_free(host: str, port: int) -> None:
    # SO_REUSEPORT would let two sandboxes share a port without a word
    with socket.socket(_family(host), socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


def _bind(host: str, port: int) -> socket.socket:
    # with the protocol named, asyncio sets TCP_NODELAY on what is accepted here; EHLO takes 40 ms without
    bound = socket.socket(_family(host), socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
