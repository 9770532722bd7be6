"""The messages on the queue and the notifications in the database: what both sides must agree on."""

from typing import Final

#: The queue and the actor that look at outbox rows. The one argument is a list of row ids: a hint, never the truth.
DELIVERY_QUEUE: Final = "delivery"
DELIVER_ACTOR: Final = "deliver"

#: At most so many row ids in one message.
ROWS_PER_MESSAGE: Final = 100

#: Channel of NOTIFY: the payload is the id of an enrollment that was committed in a caller's own transaction.
ENROLLED_CHANNEL: Final = "cadenza_enrolled"
