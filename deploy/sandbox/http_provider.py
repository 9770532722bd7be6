"""The HTTP server of the sandbox: the Twilio API on its port, the controls on theirs."""

import asyncio
from collections.abc import Iterable
from typing import Self

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from aiohttp.web_protocol import RequestHandler

from deploy.sandbox.door import Door, Doorkeeper
from deploy.sandbox.fault_board import FaultBoard
from deploy.sandbox.options import SandboxOptions
from engine.errors import Unavailable

#: Real seconds that requests under way are given when the sandbox ends.
GRACE_SECONDS = 0.5


class HttpProvider:
    """Serves one application on two ports; faults strike at the first only."""

    def __init__(self, options: SandboxOptions, board: FaultBoard, routes: Iterable[web.RouteDef]) -> None:
        """Put it together; `async with` starts it and raises Unavailable when a port can't be had."""
        self.door = Door(options.host, options.http_port, "Twilio API")
        self.control_door = Door(options.host, options.control_port, "control port")
        self._keeper = Doorkeeper("sms", board, self._protocol)
        self._busy: set[RequestHandler] = set()
        app = web.Application(middlewares=[_marking(self._busy)])
        app.add_routes(routes)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=GRACE_SECONDS)

    async def follow(self, *, refusing: bool) -> None:
        """Listen, or refuse: then idle connections are closed, and the others once they are answered."""
        if not refusing:
            await self.door.open(self._keeper)
            return
        self.door.shut()
        for connection in self._server.connections:
            if isinstance(connection.sockname, tuple) and connection.sockname[1] == self.door.port:
                if connection in self._busy:
                    connection.close()
                else:
                    connection.force_close()
        await asyncio.sleep(0)  # the sockets are closed in the loop's next round; the caller may count on it

    @property
    def _server(self) -> web.Server:
        server = self._runner.server
        assert server is not None  # noqa: S101 (no door is open before `setup`)
        return server

    def _protocol(self) -> asyncio.BaseProtocol:
        return self._server()

    async def __aenter__(self) -> Self:
        """Listen."""
        await self._runner.setup()
        try:
            await self.control_door.open(self._protocol)
            await self.door.open(self._keeper)
        except Unavailable:
            await self._close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening, and close every connection."""
        await self._close()

    async def _close(self) -> None:
        self.door.leave()
        self.control_door.leave()
        self._keeper.close()
        await self._runner.cleanup()


def _marking(busy: set[RequestHandler]) -> Middleware:
    """Keep the connections on which a request is under way in a set."""

    @web.middleware
    async def mark(request: web.Request, handler: Handler) -> web.StreamResponse:
        busy.add(request.protocol)
        try:
            return await handler(request)
        finally:
            busy.discard(request.protocol)

    return mark
