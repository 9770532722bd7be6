"""What a workspace signs its webhooks with."""

from typing import Final

from engine.database import Session
from engine.errors import NotFound

#: Real hours for which the secret before signs too: receivers have to learn the new one.
BOTH_HOURS: Final = 24

READ: Final = "SELECT signing_secret FROM workspaces WHERE id = %s"

ROTATE: Final = """
UPDATE workspaces SET former_secret = signing_secret,
    former_secret_until = clock_timestamp() + %(hours)s * interval '1 hour',
    signing_secret = 'whsec_' || encode(
        decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'), 'base64'
    )
WHERE id = %(workspace)s RETURNING signing_secret
"""


def read(session: Session, workspace_id: int) -> str:
    """The secret that receivers verify by."""
    return _secret(session.execute(READ, (workspace_id,)).fetchone(), workspace_id)


def rotate(session: Session, workspace_id: int) -> str:
    """Make a new secret; webhooks are signed with the one before too for a day."""
    row = session.execute(ROTATE, {"workspace": workspace_id, "hours": BOTH_HOURS}).fetchone()
    return _secret(row, workspace_id)


def _secret(row: tuple[str, ...] | None, workspace_id: int) -> str:
    if row is None:
        raise NotFound(f"there is no workspace {workspace_id}")
    return row[0]
