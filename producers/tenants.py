"""The workspace that a URL names."""

import re
from dataclasses import dataclass
from typing import Final

from engine.database import Session

PUBLIC_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

FIND: Final = "SELECT id, name, region, webhook_secret FROM workspaces WHERE public_id = %s"


@dataclass(frozen=True, slots=True)
class Tenant:
    """What webhooks need to know of a workspace."""

    id: int
    name: str
    region: str
    """ISO 3166 code, for national phone numbers."""
    webhook_secret: str


def find_tenant(session: Session, public_id: str) -> Tenant | None:
    """Find a workspace by its public id."""
    row = session.execute(FIND, (public_id,)).fetchone() if PUBLIC_ID.fullmatch(public_id) else None
    return None if row is None else Tenant(*row)
