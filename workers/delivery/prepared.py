"""A claimed row that is ready to be handed over."""

from collections.abc import Callable
from dataclasses import dataclass

from engine.outbox.claim import Claimed
from engine.rules.ending import Standing
from workers.channels.channel import Message


@dataclass(slots=True)
class Prepared:
    """A rendered message, and the lease under which it may go out."""

    row: Claimed
    message: Message
    payload: str
    """JSON: kept on the attempt."""
    standing: Callable[[], Standing]
    """What the rules need to know of the row, if it was not simply accepted."""
    lease_until: float
    """On this machine's monotonic clock, counted from before the claim: never later than the database's."""
    lateness: float = 0.0
    """Real seconds since it fell due, or since its back-off ended."""
    begun: float = 0.0
    """When its attempt was begun, on the same clock, counted from before."""
