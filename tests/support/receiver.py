"""A web server that takes webhooks, and answers as it is told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

#: Do not answer before the test is over.
HANG = "hang"


@dataclass
class Call:
    """A call that came in."""

    path: str
    headers: dict[str, str]
    content: bytes

    @property
    def key(self) -> str:
        return self.headers["idempotency-key"]


@dataclass
class Receiver:
    """What came in, and what is answered: one answer after the other, and the last one for ever."""

    answers: list[int | str | tuple[int, dict[str, str]]] = field(default_factory=lambda: [200])
    calls: list[Call] = field(default_factory=list)
    port: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?a=1"

    def keys(self) -> list[str]:
        """The keys of the calls, in order."""
        return [call.key for call in self.calls]


@contextmanager
def receiving(*answers: int | str | tuple[int, dict[str, str]]) -> Iterator[Receiver]:
    """Take calls meanwhile."""
    receiver = Receiver(list(answers) or [200])
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with lock:
                answer = receiver.answers.pop(0) if len(receiver.answers) > 1 else receiver.answers[0]
                receiver.calls.append(Call(self.path, headers, content))
            if answer == HANG:
                receiver.over.wait(120)
                return
            status, more = answer if isinstance(answer, tuple) else (int(answer), {})
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield receiver
    finally:
        receiver.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
