"""When to come again after a mail server's "not now" (RFC 5321 section 4.5.4.1, RFC 6647 section 2)."""

from typing import Final

#: The waits as multiples of the first back-off: with 5 seconds they are 1, 5, 15, 30 and 60 minutes, then each an hour.
WAITS: Final = (12, 60, 180, 360, 720)

#: So many refusals, spread over a day by these waits, and the message fails.
REFUSALS: Final = 28

#: No wait is longer. Real seconds.
LONGEST: Final = 3_600.0

#: Reply codes by which a server asks to come again: it is busy, greylists, or can't deliver for a reason of its own.
#: 452 is not among them: a full mailbox stays full for longer than a day.
CODES: Final = frozenset(("421", "450", "451"))

#: The words before what the server said, while the message waits and when it fails.
COME_AGAIN: Final = "the mail server asks to come again"
FOR_A_DAY: Final = "the mail server asked to come again for a day"


def greylist_wait(refusals: int, base: float, share: float) -> float:
    """Return the real seconds to wait after so many such refusals, the newest among them.

    `base` is the first back-off in real seconds. `share` is a random number from 0 to 1: it adds up to a tenth, so that
    messages refused together do not come back together.
    """
    wait = base * WAITS[min(max(refusals, 1), len(WAITS)) - 1]
    return min(LONGEST, wait) * (1 + 0.1 * share)
