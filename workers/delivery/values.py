"""What templates may say of a claimed row."""

from functools import lru_cache

from engine.outbox.claim import Claimed
from engine.rules.rendering import Variables, variables
from engine.settings import Settings
from schema.mailbox import read_sender
from workers.delivery.known import Tenant, Version
from workers.delivery.senders import sender_for


class Values:
    """Gives the variables of templates. Used by many threads."""

    def __init__(self, settings: Settings) -> None:
        """Prepare."""
        self._settings = settings

    def __call__(self, row: Claimed, version: Version, tenant: Tenant) -> Variables:
        """The variables of a row."""
        return variables(
            contact={
                "first_name": row.first_name,
                "last_name": row.last_name,
                "email": row.email,
                "phone": row.phone,
                "external_id": row.external_id,
                "timezone": row.timezone,
            },
            custom={**row.attributes, **row.data} if row.data else row.attributes,
            sender=_sender(
                sender_for(version.steps[row.step_key], version.definition, tenant, self._settings),
                self._settings.twilio_from,
            ),
            sequence=version.variables,
        )


@lru_cache(maxsize=256)
def _sender(mailbox: str, phone: str | None) -> dict[str, str | None]:
    """What templates may say of the sender: `sender.*`."""
    own = read_sender(mailbox)
    return {"name": own.name, "email": own.address, "phone": phone}
