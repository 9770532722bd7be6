"""A channel that nothing is configured for: what would go out on it waits until something is."""

from datetime import datetime
from typing import Final, NoReturn

from engine.errors import Unavailable
from engine.rules.doubt import Sighting
from engine.rules.outcome import Outcome
from engine.settings import REQUIRED_BY_CHANNEL
from schema.states import AttemptOutcome
from workers.channels.channel import LookUpFailed, Message

NOT_CONFIGURED: Final = "not_configured"


class MissingChannel:
    """Sends nothing. The channel pauses, as it does when a provider refuses the credentials."""

    def __init__(self, name: str) -> None:
        """Prepare for the channel of that name."""
        self._says = f"{name} is not configured: set {REQUIRED_BY_CHANNEL[name]} where the workers run"

    async def send(self, message: Message) -> Outcome:
        """Put the message back, with the reason; see `Channel.send`."""
        del message
        return Outcome(AttemptOutcome.HELD, error_code=NOT_CONFIGURED, detail=self._says, pauses=True)

    def look_up(self, message: Message, since: datetime) -> Sighting:
        """Ask again when it is configured; see `Channel.look_up`."""
        del message, since
        raise LookUpFailed(self._says, for_good=False)

    def check(self) -> NoReturn:
        """Say what is missing; see `Channel.check`."""
        raise Unavailable(self._says)

    async def close(self) -> None:
        """Nothing was opened."""
