"""Numbers of things in the texts that people read."""


def counted(count: int, noun: str) -> str:
    """Return a number of things, in English: `1 minute`, `2 minutes`, `1,000 minutes`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
