"""The workspace that a URL names."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from engine.database import Session
from producers.suppressions import Scope
from producers.workspaces import Doubtful

PUBLIC_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

FIND: Final = """
SELECT id, name, region, webhook_secret, opt_out_scope, doubtful, opt_out_words FROM workspaces WHERE public_id = %s
"""

#: Real seconds for which a workspace is remembered.
FRESH: Final = 3.0


@dataclass(frozen=True, slots=True)
class Tenant:
    """What webhooks need to know of a workspace."""

    id: int
    name: str
    region: str
    """ISO 3166 code, for national phone numbers."""
    webhook_secret: str
    opt_out_scope: Scope = "channel"
    doubtful: Doubtful = "hold"
    """What happens to a contact whose message may be an opt-out, until an operator decides."""
    opt_out_words: Sequence[str] = ()
    """Its own, beside those of each language."""


def find_tenant(session: Session, public_id: str) -> Tenant | None:
    """Find a workspace by its public id."""
    row = session.execute(FIND, (public_id,)).fetchone() if PUBLIC_ID.fullmatch(public_id) else None
    return None if row is None else Tenant(*row)


class Tenants:
    """Remembers workspaces for a few seconds; those that do not exist are asked for again."""

    def __init__(self, find: Callable[[str], Tenant | None]) -> None:
        """Prepare; `find` asks the database."""
        self._find = find
        self._known: dict[str, tuple[float, Tenant]] = {}

    def known(self, public_id: str) -> Tenant | None:
        """Return a workspace that is remembered."""
        found_at, tenant = self._known.get(public_id, (float("-inf"), None))
        return tenant if time.monotonic() < found_at + FRESH else None

    def find(self, public_id: str) -> Tenant | None:
        """Ask for a workspace, and remember it."""
        tenant = self._find(public_id)
        if tenant is not None:
            self._known[public_id] = (time.monotonic(), tenant)
        return tenant
