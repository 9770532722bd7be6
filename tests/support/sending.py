"""Channels as a worker uses them: in an event loop, from a test's own thread."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from engine.rules.doubt import Sighting
from engine.rules.outcome import Outcome
from workers.channels.channel import Channel, Message
from workers.event_loop import EventLoop


class Sending:
    """A channel that is used from any thread."""

    def __init__(self, channel: Channel, loop: EventLoop) -> None:
        """Use the channel in this loop."""
        self._channel = channel
        self._loop = loop

    def send(self, message: Message) -> Outcome:
        """Hand one message over and wait for its outcome."""
        return self._loop.run(self._channel.send(message))

    def read(self) -> None:
        """Let the loop read what has come over all connections."""
        for _ in range(3):
            self._loop.run(asyncio.sleep(0))

    def look_up(self, message: Message, since: datetime) -> Sighting:
        """Ask the provider."""
        return self._channel.look_up(message, since)

    def check(self) -> str:
        """Connect and log in."""
        return self._channel.check()

    def close(self) -> None:
        """Close the channel; the loop goes on."""
        self._loop.run(self._channel.close())


@contextmanager
def sending(channel: Channel) -> Iterator[Sending]:
    """Use a channel in a loop of its own; both are closed at the end."""
    loop = EventLoop()
    user = Sending(channel, loop)
    try:
        yield user
    finally:
        user.close()
        loop.close()
