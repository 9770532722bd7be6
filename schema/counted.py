"""Numbers of things in the texts that people read."""


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Return a number of things, in English: `1 minute`, `2 minutes`, `1,000 processes`.

    `plural` is the noun and an s unless it is given.
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
