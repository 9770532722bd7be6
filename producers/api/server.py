"""The HTTP server: uvicorn in a thread, so that it shares a process and its signals with whoever runs it."""

import os
import socket
from ipaddress import ip_address
from threading import Thread
from typing import Final, Self

import uvicorn
from starlette.types import ASGIApp

from engine.errors import Unavailable

#: Longer than proxies keep idle connections (60 seconds with many), so that none is closed under a request.
KEEP_ALIVE: Final = 75

#: Requests under way are given so many real seconds when the server ends.
GRACE: Final = 15

#: More connections than that are answered with 503.
MOST_CONNECTIONS: Final = 1_000

BACKLOG: Final = 512


class HttpServer:
    """Listens from the beginning, so that its address is known before the application is; `serve` starts it."""

    def __init__(self, host: str, port: int) -> None:
        """Take the port; 0: any free one.

        Raises:
            Unavailable: it can't be had.
        """
        self._server: uvicorn.Server | None = None
        self._thread: Thread | None = None
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self._socket = socket.create_server((host, port), family=family, backlog=BACKLOG)
        except OSError as error:
            raise Unavailable(
                f"api: {host}:{port}: {_said(error)}; choose another address with CADENZA_API_HOST and"
                " CADENZA_API_PORT, or --host and --port (0: any free port)"
            ) from None
        self._host = host
        self.port: int = self._socket.getsockname()[1]

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{f'[{self._host}]' if ':' in self._host else self._host}:{self.port}"

    @property
    def local_url(self) -> str:
        """Where a program on this machine reaches it."""
        try:
            everywhere = ip_address(self._host).is_unspecified
        except ValueError:
            everywhere = False
        if not everywhere:
            return self.url
        return f"http://{'[::1]' if ':' in self._host else '127.0.0.1'}:{self.port}"

    @property
    def serving(self) -> bool:
        """Whether it answers."""
        return self._thread is not None and self._thread.is_alive()

    def serve(self, app: ASGIApp) -> None:
        """Answer from now on."""
        config = uvicorn.Config(
            app,
            lifespan="off",
            ws="none",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=GRACE,
            limit_concurrency=MOST_CONNECTIONS,
        )
        self._server = uvicorn.Server(config)
        self._thread = Thread(target=self._server.run, args=([self._socket],), name="api", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more requests, answer those under way, and end."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join()
        self._socket.close()

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()


def _said(error: OSError) -> str:
    """What went wrong, without what Python adds to it."""
    named = isinstance(error, socket.gaierror) or not error.errno
    return str(error.strerror or error) if named else os.strerror(error.errno or 0)
