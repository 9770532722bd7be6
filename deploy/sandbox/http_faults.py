"""What a fault does to an HTTP request."""

import asyncio
import json
from typing import Any

from aiohttp import web

from deploy.sandbox.door import reset
from deploy.sandbox.fault import FaultSpec, Kind
from deploy.sandbox.fault_board import Strike
from deploy.sandbox.twilio_error import CODE_OF_STATUS, error_body

#: Real seconds between looks whether a client that gets no answer has gone.
LOOK_SECONDS = 0.25


async def suffer(strike: Strike, request: web.Request) -> web.Response | None:
    """Let a strike happen; None: the request goes on, late."""
    if strike.delay:
        await asyncio.sleep(strike.delay)
    if strike.fault is None:
        return None
    spec = strike.fault.spec
    if spec.kind is Kind.REPLY:
        return _reply(spec)
    if spec.kind is Kind.SILENCE:
        while request.transport is not None:
            await asyncio.sleep(LOOK_SECONDS)
    elif request.transport is not None:
        if spec.kind is Kind.RESET:
            reset(request.transport)
        else:
            request.transport.close()
    return web.Response()  # goes nowhere: the connection is closed


def json_response(content: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """An answer in JSON."""
    body = json.dumps(content).encode()
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")


def refusal_code(spec: FaultSpec) -> int | None:
    """Twilio's error code in the answer of a fault; None if it gives no answer, or one that is not Twilio's."""
    if spec.kind is not Kind.REPLY or spec.status is None or spec.text is not None:
        return None
    return spec.code or CODE_OF_STATUS.get(spec.status, 20500)


def _reply(spec: FaultSpec) -> web.Response:
    status = spec.status or 500
    headers = {} if spec.retry_after is None else {"Retry-After": str(spec.retry_after)}
    code = refusal_code(spec)
    if code is None:
        return web.Response(text=spec.text, status=status, headers=headers, content_type="text/html")
    return json_response(error_body(status, code), status, headers)
