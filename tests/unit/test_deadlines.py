"""Deadlines of sends: what is over is cancelled, what has ended is not."""

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from workers import event_loop
from workers.channels.deadlines import Deadlines


async def sent(deadlines: Deadlines, work: Coroutine[Any, Any, None], *, renewed: bool = False) -> str:
    """How a send ends that does this work, and the same once more if its time is renewed."""
    deadline = deadlines.start()
    try:
        await work
        if renewed:
            deadline.renew()
            await asyncio.Event().wait()
    except asyncio.CancelledError:
        if not deadline.expired:
            raise
        return "renewed, and over" if renewed else "over"
    finally:
        deadline.end()
    return "sent"


def test_a_send_that_takes_too_long_is_cancelled_and_no_other() -> None:
    async def work() -> list[str]:
        deadlines = Deadlines(0.05)
        forever = [sent(deadlines, asyncio.Event().wait()) for _ in range(3)]  # type: ignore[arg-type]
        at_once = [sent(deadlines, asyncio.sleep(0)) for _ in range(3)]
        return await asyncio.gather(*at_once, *forever, *[sent(deadlines, asyncio.sleep(0)) for _ in range(3)])

    assert asyncio.run(work()) == ["sent"] * 3 + ["over"] * 3 + ["sent"] * 3


def test_a_renewed_deadline_ends_later() -> None:
    async def work() -> str:
        deadlines = Deadlines(0.05)
        return await sent(deadlines, asyncio.sleep(0.01), renewed=True)

    assert asyncio.run(work()) == "renewed, and over"


def test_an_expired_deadline_is_not_renewed() -> None:
    async def work() -> None:
        deadline = Deadlines(60).start()
        deadline.expire()
        with pytest.raises(asyncio.CancelledError):
            deadline.renew()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(0)

    asyncio.run(work())


def test_what_was_cancelled_by_somebody_else_has_not_expired() -> None:
    async def work() -> None:
        task = asyncio.create_task(sent(Deadlines(60), asyncio.Event().wait()))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(work())


def test_deadlines_of_sends_that_ended_are_not_kept() -> None:
    async def work() -> int:
        deadlines = Deadlines(60)
        for _ in range(1_000):
            await sent(deadlines, asyncio.sleep(0))
        left = len(deadlines._queue)
        deadlines.close()
        return left

    assert asyncio.run(work()) == 1


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, event_loop.new_event_loop])
def test_an_answer_that_is_there_when_a_stopped_process_goes_on_is_read(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """Its timers are late then, and come before the sockets are looked at."""

    async def work() -> str:
        near, far = socket.socketpair()
        with near, far:
            reader, writer = await asyncio.open_connection(sock=near)
            send = asyncio.create_task(sent(Deadlines(0.05), _read(reader)))
            await asyncio.sleep(0)
            far.sendall(b"!")
            time.sleep(0.2)
            ended = await send
            writer.close()
            await writer.wait_closed()
            return ended

    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(work()) == "sent"


async def _read(reader: asyncio.StreamReader) -> None:
    await reader.readexactly(1)
