"""Where Twilio's API is, and how requests get there."""

from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import unquote

from requests.utils import get_environ_proxies, select_proxy
from urllib3.exceptions import LocationParseError
from urllib3.util import Url, make_headers, parse_url

from engine.errors import InvalidInput

#: The schemes of a proxy that can be used.
PROXIES: Final = ("http", "https")

#: This machine itself, which is reached without a proxy.
LOCAL: Final = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True)
class Api:
    """The API, and the proxy that the environment names for it."""

    base_url: str
    encrypted: bool
    proxy: str | None
    """Without its credentials."""
    proxy_headers: dict[str, str]
    """Its credentials."""

    @classmethod
    def at(cls, base_url: str) -> Self:
        """Return the API at this URL.

        Raises:
            InvalidInput: the URL, or the proxy's, can't be used.
        """
        base = _parsed(base_url, "CADENZA_TWILIO_API_URL")
        proxy = _proxy(base)
        if proxy is None:
            return cls(base_url, base.scheme == "https", None, {})
        headers = make_headers(proxy_basic_auth=unquote(proxy.auth)) if proxy.auth else {}
        return cls(base_url, base.scheme == "https", proxy._replace(auth=None).url, dict(headers))


def _parsed(url: str, name: str) -> Url:
    try:
        parsed = parse_url(url)
    except LocationParseError:
        raise InvalidInput(f"{name} can't be read: write https://host, with a port if need be") from None
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.query or parsed.fragment or parsed.auth:
        raise InvalidInput(f"{name} must be http:// or https:// and a host, with a port or path if need be")
    return parsed


def _proxy(base: Url) -> Url | None:
    """Return the proxy that requests, and so twilio-python, would use; none for this machine itself."""
    if base.host in LOCAL:
        return None
    named = select_proxy(base.url, get_environ_proxies(base.url))
    if named is None:
        return None
    try:
        proxy = parse_url(named)
    except LocationParseError:
        proxy = Url()
    if proxy.scheme not in PROXIES or not proxy.host:
        raise InvalidInput(
            "the proxy in HTTPS_PROXY, HTTP_PROXY or ALL_PROXY can't be used: write http://host:port"
        ) from None
    return proxy
