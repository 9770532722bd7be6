"""Where a URL leads: names are looked up once, and the very address that was looked at is the one that is called."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from engine.rules.addresses import Opening, is_open, refusal


class Refused(Exception):  # noqa: N818 (a fact, as in engine.errors)
    """A URL that is not called."""


class NotFound(Exception):  # noqa: N818 (a fact, as in engine.errors)
    """A name that can't be looked up now."""


@dataclass(frozen=True, slots=True)
class Place:
    """A server to call."""

    host: str
    """As the URL names it."""
    port: int
    encrypted: bool
    addresses: tuple[str, ...]
    """Any of them will do."""
    target: str
    """The path, and what is asked."""

    @property
    def authority(self) -> str:
        """For the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.encrypted else 80) else f"{host}:{self.port}"


def find(url: str, openings: Sequence[Opening]) -> Place:
    """Look a URL up.

    Raises:
        Refused: one of its addresses is not public, and nobody has opened it; or it is not encrypted.
        NotFound: its name can't be looked up.
    """
    parts = urlsplit(url)
    host, encrypted = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if encrypted else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise NotFound(f"the name can't be looked up: {error}") from None
    addresses = tuple(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
    for text in addresses:
        address = ip_address(text)
        if is_open(host, address, port, openings):
            continue
        if (kind := refusal(address)) is not None:
            raise Refused(f"{host} is {kind}: only public addresses are called")
        if not encrypted:
            raise Refused("the URL is not encrypted: write https://")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Place(host, port, encrypted, addresses, target)
