"""The link by which a recipient unsubscribes. It names a message and an address, and the workspace's secret signs it.

RFC 8058 asks for a link that needs no log-in and whose opaque part can't be forged. It never expires: a recipient may
unsubscribe from any email that is still in their mailbox.
"""

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from struct import Struct
from typing import Final, NamedTuple
from urllib.parse import quote

#: Outbox row, as the database has it, and the beginning of the digest of the address.
_MESSAGE: Final = Struct(">q8s")

#: Keeps these signatures apart from any other that the same secret signs.
_PURPOSE: Final = b"cadenza unsubscribe\0"

#: Octets of the signature that are kept: 128 bits.
_SIGNATURE: Final = 16

#: The characters of a token: base64 without padding (RFC 4648 section 5).
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}")

PATH: Final = "unsubscribe"


class Named(NamedTuple):
    """What a token names."""

    row_id: int
    digest: bytes
    """Of the address: see `digest_of`."""


def digest_of(address: str) -> bytes:
    """Return a digest of an address, so that nobody reads the address from the link."""
    return sha256(address.lower().encode()).digest()[:8]


def sign(secret: str, row_id: int, address: str) -> str:
    """Return the token of a message to an address: 43 characters that need no escaping in a URL."""
    message = _MESSAGE.pack(row_id, digest_of(address))
    signature = hmac.digest(secret.encode(), _PURPOSE + message, sha256)[:_SIGNATURE]
    return urlsafe_b64encode(message + signature).rstrip(b"=").decode()


def read(secret: str, token: str) -> Named | None:
    """Return what a token names; None: `sign` did not make it with this secret."""
    if not _TOKEN.fullmatch(token):
        return None
    data = urlsafe_b64decode(token + "=")
    row_id, digest = _MESSAGE.unpack(data[: _MESSAGE.size])
    signature = hmac.digest(secret.encode(), _PURPOSE + data[: _MESSAGE.size], sha256)[:_SIGNATURE]
    return Named(row_id, digest) if hmac.compare_digest(signature, data[_MESSAGE.size :]) else None


def link(public_url: str, workspace_public_id: str, token: str) -> str:
    """Return the address of the page (producers/api/unsubscribe.py)."""
    return f"{public_url.rstrip('/')}/{PATH}/{workspace_public_id}/{token}"


def mailto(address: str, token: str) -> str:
    """Return a link that writes an email to the workspace; its subject names the message."""
    return f"mailto:{quote(address, safe='@')}?subject=unsubscribe%20{token}"
