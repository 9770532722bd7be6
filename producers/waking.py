"""Wake-ups after a COMMIT: a hint that may fail, since the sweeper makes up for it."""

from collections.abc import Sequence

import structlog

from engine.wakeups import Due, Wakeups, WakeupsUnavailable

log = structlog.get_logger(__name__)


def wake(wakeups: Wakeups, due: Sequence[Due]) -> bool:
    """Schedule wake-ups; False: Redis is away, and the sweeper will make up for them."""
    if not due:
        return True
    try:
        wakeups.schedule(due)
    except WakeupsUnavailable as error:
        log.warning("wake-ups not scheduled: the sweeper will make up for them", error=str(error))
        return False
    return True
