"""Whether a sequence takes new people. Those who are in it go on."""

from schema.states import SequenceStatus


def takes_nobody(status: SequenceStatus | str, *, closed: bool) -> str | None:
    """Return why a sequence takes no new people, as the end of a sentence about it; None: it takes them."""
    if status == SequenceStatus.DRAFT:
        return "is a draft"
    if status != SequenceStatus.ACTIVE:
        return f"is {status}"
    return "is closed to new people" if closed else None
