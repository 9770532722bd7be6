"""How long to wait before a message is tried again. Real seconds."""

from typing import Final

#: The longest wait between two tries (DESIGN.md section 9).
LONGEST: Final = 900.0
FACTOR: Final = 6.0
JITTER: Final = 0.5


def backoff(tries: int, base: float, share: float) -> float:
    """The wait after so many tries: `base` after the first, six times as long after each further one.

    `share` is a random number from 0 to 1: half of the wait is left to chance, so that what failed together
    does not come back together.
    """
    longest = min(LONGEST, base * FACTOR ** min(max(tries, 1) - 1, 20))
    return longest * (1 - JITTER * share)


def wait(tries: int, base: float, share: float, retry_after: float | None) -> float:
    """The wait before the next try: what the provider asked for, if it did, and a little chance on top."""
    if retry_after is None:
        return backoff(tries, base, share)
    return min(LONGEST, retry_after) * (1 + 0.1 * share)
