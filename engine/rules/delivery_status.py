"""What a provider says of a message's delivery, in ranks: Twilio promises no order among its callbacks.

The words are those of Twilio's MessageStatus (twilio-oai, api.v2010 message_enum_status).
"""

from typing import Final

#: A status replaces those of lower ranks, and no others: what has ended stays as it ended first.
RANKS: Final[dict[str, int]] = {
    "accepted": 0,
    "scheduled": 0,
    "queued": 0,
    "sending": 1,
    "sent": 2,
    "partially_delivered": 3,
    "canceled": 4,
    "delivered": 4,
    "failed": 4,
    "undelivered": 4,
    "read": 5,
}

#: What Twilio says of a message that it could not deliver.
NOT_DELIVERED: Final = ("failed", "undelivered")


def replaceable_by(status: str) -> list[str]:
    """The statuses that this one of RANKS replaces, beside none at all."""
    return [lower for lower, rank in RANKS.items() if rank < RANKS[status]]
