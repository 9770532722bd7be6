"""The body of a request, read with a limit on its length and on the time that it takes."""

import asyncio
from typing import Annotated, Final, TypeAlias

from fastapi import Depends, Request

from producers.api.errors import TooLarge, TooSlow

#: Bytes. Twilio's webhooks have a few hundred.
LONGEST: Final = 64 * 1024

#: So much more is read and thrown away, since who is still sending might not see the answer.
DRAINED: Final = 1024 * 1024

#: Real seconds for the whole of it.
PATIENCE: Final = 10


async def read_body(request: Request) -> bytes:
    """Read the body.

    Raises:
        TooLarge: it is longer than the limit; nothing of it is kept or parsed.
        TooSlow: it has not ended in time.
    """
    length = 0
    if int(request.headers.get("content-length", "0")) > DRAINED:
        raise TooLarge(f"the body is longer than {LONGEST} bytes")
    chunks: list[bytes] = []
    try:
        async with asyncio.timeout(PATIENCE):
            async for chunk in request.stream():
                length += len(chunk)
                if length <= LONGEST:
                    chunks.append(chunk)
                elif length > DRAINED:
                    break
    except TimeoutError:
        raise TooSlow(f"the body has not ended within {PATIENCE} seconds") from None
    if length > LONGEST:
        raise TooLarge(f"the body is longer than {LONGEST} bytes")
    return b"".join(chunks)


Body: TypeAlias = Annotated[bytes, Depends(read_body)]
