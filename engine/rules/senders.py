"""Who an email is from: what the step says, else its sequence, else the workspace, else the settings."""

from functools import lru_cache
from typing import TypeAlias

from schema.mailbox import read_sender

#: What one of them says: a mailbox, and a name.
Level: TypeAlias = tuple[str | None, str | None]


@lru_cache(maxsize=1_000)
def sender_of(*levels: Level) -> str:
    """Return the mailbox that an email is from. The first level comes first; the last one has a mailbox.

    The name is the first one that is said, by a level's name or by a mailbox in use. A mailbox that is not in use gives
    no name: it is the name of somebody else.
    """
    place = next(number for number, (mailbox, _) in enumerate(levels) if mailbox is not None)
    mailbox = levels[place][0] or ""
    sender = read_sender(mailbox)
    above, below = _first_name(levels[: place + 1]), _first_name(levels[place + 1 :])
    name = above or sender.name or below
    if not name or name == sender.name:
        return mailbox
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <{sender.address}>'


def _first_name(levels: tuple[Level, ...]) -> str | None:
    return next((name for _, name in levels if name), None)
