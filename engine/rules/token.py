"""The token of an attempt: names it in the URL that a provider calls back, signed with the workspace's secret.

Twilio's Message resource has no field for a reference of ours, and its create call no idempotency key, so the status
callback's URL carries it: a callback then proves that this very attempt was accepted (DESIGN.md promise P2).
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from struct import Struct, error
from typing import Final

#: Outbox row and fence, as the database has them: bigint and integer.
_ATTEMPT: Final = Struct(">qi")

#: Keeps these signatures apart from any other that the same secret may come to sign.
_PURPOSE: Final = b"cadenza attempt\0"

_LENGTH: Final = 59


def sign(secret: str, row_id: int, fence: int) -> str:
    """The token of the attempt that was made of a row under a fence: 59 characters that need no escaping in a URL."""
    attempt = _ATTEMPT.pack(row_id, fence)
    signature = hmac.digest(secret.encode(), _PURPOSE + attempt, sha256)
    return urlsafe_b64encode(attempt + signature).rstrip(b"=").decode()


def read(secret: str, token: str) -> tuple[int, int] | None:
    """The row and the fence that a token names; None: it is not one that `sign` made with this secret."""
    if len(token) != _LENGTH or not token.isascii():
        return None
    try:
        row_id, fence = _ATTEMPT.unpack(urlsafe_b64decode(token + "=")[: _ATTEMPT.size])
    except (ValueError, error):
        return None
    return (row_id, fence) if hmac.compare_digest(sign(secret, row_id, fence), token) else None


def status_callback_url(public_url: str, workspace_public_id: str, secret: str, row_id: int, fence: int) -> str:
    """The StatusCallback of an attempt: where its provider tells what becomes of it (producers/api/webhooks.py)."""
    token = sign(secret, row_id, fence)
    return f"{public_url.rstrip('/')}/webhooks/twilio/{workspace_public_id}/status?attempt={token}"
