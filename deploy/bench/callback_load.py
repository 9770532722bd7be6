"""`python -m deploy.bench.callback_load PLAN`: requests to `cadenza api` over raw sockets that are kept, without end.

The plan is a file of JSON lines: the first says where to send, over how many connections and for how long, the others
are requests. It builds all bytes, says `ready`, waits for a line, and prints what it saw as one JSON document. One
loop and no HTTP client: it is not to be what limits the API.
"""

import json
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from deploy.bench.children import say
from deploy.bench.signed import Signer, signer_for

#: Bytes of an answer that are read at once; ours have about two hundred.
CHUNK: Final = 65_536

#: Real seconds to wait for the last answers.
PATIENCE: Final = 30.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send, where to, how fast, and for how long."""

    host: str
    port: int
    public_url: str
    connections: int
    """Each sends its next callback as soon as the last one is answered."""
    seconds: float
    stops_a_second: float
    """STOPs are sent at their times, on connections of their own, whether or not the last one is answered."""


@dataclass(slots=True)
class Seen:
    """What came of it."""

    answered: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    """Of this process, in seconds."""
    refused: dict[str, int] = field(default_factory=dict)
    """Answers that were not 2xx, by their status."""
    stops: list[float] = field(default_factory=list)
    """Real seconds from the moment at which each STOP was to be sent to its answer."""


class Connection:
    """One that is kept, with one request under way at a time."""

    def __init__(self, plan: Plan) -> None:
        """Connect."""
        self.socket = socket.create_connection((plan.host, plan.port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.since = 0.0
        """When its request was to be sent."""
        self.is_stop = False
        self._received = b""

    def send(self, request: bytes, since: float, *, is_stop: bool = False) -> None:
        """Send a request, which fits into the socket's buffer."""
        self.since, self.is_stop = since, is_stop
        self.socket.sendall(request)

    def answer(self) -> str | None:
        """Read what has come, and return the status of an answer that is whole; None: more is to come.

        Raises:
            ConnectionError: the server closed the connection.
        """
        chunk = self.socket.recv(CHUNK)
        if not chunk:
            raise ConnectionError("the API closed a connection")
        self._received += chunk
        status = whole_answer(self._received)
        if status is not None:
            self._received = b""
        return status


def whole_answer(received: bytes) -> str | None:
    """Return the status of an HTTP/1.1 answer if all of it is there."""
    head, end, body = received.partition(b"\r\n\r\n")
    if not end:
        return None
    lines = head.split(b"\r\n")
    lengths = [line.partition(b":")[2] for line in lines[1:] if line[:15].lower() == b"content-length:"]
    if len(body) < (int(lengths[0]) if lengths else 0):
        return None
    return lines[0].split(b" ")[1].decode()


class Storm:
    """Sends the requests of a plan, and notes what is answered."""

    def __init__(self, plan: Plan, callbacks: Iterator[bytes], stops: Iterator[bytes]) -> None:
        """Open the connections for callbacks; those for STOPs are opened before they are needed."""
        self._plan = plan
        self._callbacks, self._stops = callbacks, stops
        self._selector = selectors.DefaultSelector()
        self._idle = [self._open() for _ in range(8)] if plan.stops_a_second else []
        self._busy = 0
        self._until = 0.0
        self.seen = Seen()

    def run(self) -> Seen:
        """Send until the time or the callbacks are over, then wait for the answers that are still to come."""
        connections = [self._open() for _ in range(self._plan.connections)]
        cpu, started = time.process_time(), time.monotonic()
        self._until = started + self._plan.seconds
        for connection in connections:
            self._next(connection, started)
        next_stop = started
        while (now := time.monotonic()) < self._until or self._busy:
            if now > self._until + PATIENCE:
                raise TimeoutError(f"{self._busy} requests were not answered")
            if self._plan.stops_a_second and next_stop <= now < self._until:
                self._stop(next_stop)
                next_stop += 1 / self._plan.stops_a_second
            for key, _ in self._selector.select(0.01):
                self._answered(key.data, started)
        self.seen.cpu = time.process_time() - cpu
        return self.seen

    def close(self) -> None:
        """Close all connections."""
        for key in list(self._selector.get_map().values()):
            key.data.socket.close()
        self._selector.close()

    def _open(self) -> Connection:
        connection = Connection(self._plan)
        self._selector.register(connection.socket, selectors.EVENT_READ, connection)
        return connection

    def _next(self, connection: Connection, now: float) -> None:
        request = next(self._callbacks, None)
        if request is None:
            self._until = min(self._until, now)  # without callbacks it is no storm
            return
        connection.send(request, now)
        self._busy += 1

    def _stop(self, since: float) -> None:
        request = next(self._stops, None)
        if request is not None:
            connection = self._idle.pop() if self._idle else self._open()
            connection.send(request, since, is_stop=True)
            self._busy += 1

    def _answered(self, connection: Connection, started: float) -> None:
        status = connection.answer()
        if status is None:
            return
        self._busy -= 1
        now = time.monotonic()
        if not status.startswith("2"):
            self.seen.refused[status] = self.seen.refused.get(status, 0) + 1
        if connection.is_stop:
            self.seen.stops.append(now - connection.since)
            self._idle.append(connection)
            return
        self.seen.answered += 1
        self.seen.seconds = now - started
        if now < self._until:
            self._next(connection, now)


def read_plan(path: Path) -> tuple[Plan, list[bytes], list[bytes]]:
    """Read a plan, and build the bytes of its callbacks and of its STOPs."""
    with path.open() as lines:
        plan = Plan(**json.loads(next(lines)))
        signer = signer_for(plan.public_url)
        requests: dict[str, list[bytes]] = {"status": [], "stop": []}
        for line in lines:
            kind, arguments = json.loads(line)
            requests[kind].append(_build(signer, kind, arguments))
    return plan, requests["status"], requests["stop"]


def _build(signer: Signer, kind: str, arguments: list[str]) -> bytes:
    return signer.status(*arguments) if kind == "status" else signer.stop(*arguments)


def main() -> None:
    """Send what the plan says."""
    plan, callbacks, stops = read_plan(Path(sys.argv[1]))
    storm = Storm(plan, iter(callbacks), iter(stops))
    say("ready")
    sys.stdin.readline()
    seen = storm.run()
    storm.close()  # before the report, which starts the next load: the API accepts a limited number of connections
    say(json.dumps(asdict(seen)))


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        main()
