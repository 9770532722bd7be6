"""The body of a request, read with a limit on its length and on the time that it takes."""

import asyncio
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from producers.api.errors import TooLarge, TooSlow

#: Bytes. Twilio's webhooks have a few hundred.
LONGEST: Final = 64 * 1024

#: So much more is read and thrown away, since who is still sending might not see the answer.
DRAINED: Final = 1024 * 1024

#: Real seconds for the whole of it.
PATIENCE: Final = 10


async def read_body(receive: Receive, told_length: int) -> bytes:
    """Read a body whose header tells this length, or 0.

    Raises:
        TooLarge: it is longer than the limit; nothing of it is kept or parsed.
        TooSlow: it has not ended in time.
        ClientDisconnect: nobody waits for the answer any more.
    """
    length = 0
    if told_length > DRAINED:
        raise TooLarge(f"the body is longer than {LONGEST} bytes")
    chunks: list[bytes] = []
    try:
        async with asyncio.timeout(PATIENCE):
            more = True
            while more and length <= DRAINED:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                chunk: bytes = message.get("body", b"")
                more = message.get("more_body", False)
                length += len(chunk)
                if length <= LONGEST:
                    chunks.append(chunk)
    except TimeoutError:
        raise TooSlow(f"the body has not ended within {PATIENCE} seconds") from None
    if length > LONGEST:
        raise TooLarge(f"the body is longer than {LONGEST} bytes")
    return b"".join(chunks)
