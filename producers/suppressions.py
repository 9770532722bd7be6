"""Suppressions: recipients who must not be contacted on a channel, each with the reason."""

from typing import Final

from engine.database import Session

#: The recipient said so to us, or to Twilio, which told us by its code 21610.
STOP: Final = "stop"
UNSUBSCRIBED: Final = "unsubscribed"

#: The reasons that the recipient alone gave, and can take back.
THEIR_OWN: Final = (STOP, UNSUBSCRIBED)

SUPPRESS: Final = """
INSERT INTO suppressions (workspace_id, channel, address, reason) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
LIFT: Final = "DELETE FROM suppressions WHERE workspace_id = %s AND channel = %s AND address = %s AND reason = ANY(%s)"
REASON: Final = "SELECT reason FROM suppressions WHERE workspace_id = %s AND channel = %s AND address = %s"


def suppress(session: Session, workspace_id: int, channel: str, address: str, reason: str) -> None:
    """Contact the recipient no more; an older reason stands, so that no recipient can take back an operator's."""
    session.execute(SUPPRESS, (workspace_id, channel, address, reason))


def lift(session: Session, workspace_id: int, channel: str, address: str) -> None:
    """Take back what the recipient had asked for, and nothing else."""
    session.execute(LIFT, (workspace_id, channel, address, list(THEIR_OWN)))


def has_opted_out(session: Session, workspace_id: int, channel: str, address: str) -> bool:
    """Whether the recipient has asked for it."""
    row = session.execute(REASON, (workspace_id, channel, address)).fetchone()
    return row is not None and row[0] in THEIR_OWN
