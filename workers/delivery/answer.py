"""How a row ended that the pipeline held."""

from dataclasses import dataclass

from engine.outbox.settle import Ending


@dataclass(slots=True)
class Answer:
    """An ending, to be settled."""

    ending: Ending
    seconds: float | None
    """Real seconds from the hand-over to the provider's answer; None: it was never handed over."""
