"""Which addresses a webhook may be sent to: those that anybody on the internet may be reached at."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

#: IPv6 addresses that a translator turns into the IPv4 address of their last 32 bits (RFC 6052).
_TRANSLATED: Final = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Opening:
    """Addresses that are allowed though they would be refused: a network, or a host, perhaps on one port only."""

    network: str | None
    host: str | None
    port: int | None

    def admits(self, host: str, address: Address, port: int) -> bool:
        """Whether a URL's host, which has come out as this address, may be called."""
        if self.port is not None and self.port != port:
            return False
        if self.host is not None:
            return self.host == host.lower()
        network = ip_network(self.network or "")
        return network.version == address.version and address in network


def parse_openings(text: str) -> tuple[Opening, ...]:
    """Read a list: `127.0.0.1:9000, localhost:9000, [::1]:9000, 10.1.0.0/16`.

    Raises:
        ValueError: it can't be read.
    """
    return tuple(_opening(part.strip()) for part in text.split(",") if part.strip())


def _opening(text: str) -> Opening:
    try:
        return Opening(str(ip_network(text)), None, None)
    except ValueError:
        host, colon, port = text.rpartition(":")
        if not (colon and host and port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
            raise ValueError(f"{text!r} is neither HOST:PORT nor a network, such as 10.1.0.0/16") from None
    literal = host.removeprefix("[").removesuffix("]")
    try:
        return Opening(str(ip_network(literal)), None, int(port))
    except ValueError:
        return Opening(None, host.lower(), int(port))


def is_open(host: str, address: Address, port: int, openings: Sequence[Opening]) -> bool:
    """Whether somebody has opened this address."""
    return any(opening.admits(host, address, port) for opening in openings)


def literal(host: str) -> Address | None:
    """The address that a URL's host is, if it is one and no name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def refusal(address: Address) -> str | None:
    """Why nothing is sent to an address: what kind of address it is; None: it may be called."""
    inner = _inner(address)
    if inner is not None:
        kind = refusal(inner)
        return None if kind is None else f"{kind}, by way of {inner}"
    kinds = (
        (address.is_loopback, "an address of this machine itself"),
        (address.is_unspecified, "no address"),
        (address.is_link_local, "a link-local address"),
        (address.is_multicast, "a multicast address"),
        (isinstance(address, IPv6Address) and address.is_site_local, "a private address"),
        (address.is_reserved, "a reserved address"),
        (not address.is_global, "a private address"),
    )
    return next((kind for applies, kind in kinds if applies), None)


def _inner(address: Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for."""
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return None
