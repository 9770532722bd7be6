"""Connections to Redis in each of its forms: one server, with TLS, behind Sentinels, or a Cluster."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.retry import Retry
from redis.sentinel import Sentinel

from engine.errors import InvalidInput
from engine.redis_slot import open_slot

#: What all our keys begin with. A Cluster keeps keys with the same words in braces together, so scripts work on them.
NAMESPACE: Final = "{cadenza}"

#: Real seconds to wait for Redis: to connect, and for an answer.
REDIS_SECONDS: Final = 5

#: Unless the URL says something else.
DEFAULTS: Final = {
    "socket_connect_timeout": REDIS_SECONDS,
    "socket_timeout": REDIS_SECONDS,
    "health_check_interval": 30,
}

REDIS_PORT: Final = 6_379
SENTINEL_PORT: Final = 26_379

#: What the options of a URL begin with that are the Sentinels' own; the others are the servers'.
SENTINELS_OWN: Final = "sentinel_"

#: What both have in common.
SHARED: Final = ("socket_", "ssl_", "health_")


def open_redis(url: str) -> "redis.Redis":
    """Return a client for the URL; it connects when first used.

    Raises:
        InvalidInput: the URL can't be read.
    """
    scheme = url.partition("://")[0]
    try:
        client = _FORMS[scheme.replace("rediss", "redis")](url)
        # Made and thrown away unconnected: it does not take options that it does not know.
        client.connection_pool.connection_class(**client.connection_pool.connection_kwargs)
    except (LookupError, ValueError, TypeError, redis.RedisError):  # what it says may repeat the password
        raise InvalidInput(
            "CADENZA_REDIS_URL can't be read: write redis://user:password@host:port/0, rediss://... or unix://...,"
            " redis+sentinel://user:password@host:port,host:port/master/0 or redis+cluster://user:password@host:port"
            " (percent-encode what is special in the password)"
        ) from None
    return client


@dataclass(frozen=True, slots=True)
class _Parts:
    """A URL of several servers, taken apart."""

    servers: list[tuple[str, int | None]]
    path: list[str]
    options: dict[str, Any]
    """What connections are made with, as redis-py names it."""
    tls: bool

    @classmethod
    def of(cls, url: str) -> "_Parts":
        parts = urlsplit(url)
        credentials, at, servers = parts.netloc.rpartition("@")
        options = {**DEFAULTS, **parse_url(f"redis://{credentials}{at}?{parts.query}")}  # type: ignore[no-untyped-call]
        path = [unquote(part) for part in parts.path.split("/") if part]
        return cls([_server(one) for one in servers.split(",")], path, options, parts.scheme.startswith("rediss"))


def _server(text: str) -> tuple[str, int | None]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname or parts.port == 0:
        raise ValueError("no host")
    return parts.hostname, parts.port


def _one(url: str) -> "redis.Redis":
    return redis.Redis.from_url(url, **DEFAULTS)


def _sentinel(url: str) -> "redis.Redis":
    """Connect to the master that the Sentinels name; after a failover that is the new one."""
    parts = _Parts.of(url)
    master, *database = parts.path
    options = {name: value for name, value in parts.options.items() if not name.startswith(SENTINELS_OWN)}
    if database:
        (options["db"],) = map(int, database)
    own = {name: value for name, value in parts.options.items() if name.startswith(SENTINELS_OWN)}
    of_sentinels = {
        **{name: value for name, value in options.items() if name.startswith(SHARED)},
        **{name.removeprefix(SENTINELS_OWN): value for name, value in own.items()},
    }
    if parts.tls:
        options["ssl"] = of_sentinels["ssl"] = True
    sentinels = [(host, port or SENTINEL_PORT) for host, port in parts.servers]
    client: redis.Redis = Sentinel(sentinels, sentinel_kwargs=of_sentinels, **options).master_for(master)  # type: ignore[no-untyped-call]
    return client


def _cluster(url: str) -> "redis.Redis":
    """Connect to the owner of our keys. One repetition, so that a move of them is followed at once."""
    parts = _Parts.of(url)
    if parts.path not in ([], ["0"]):
        raise ValueError("a Cluster has one database")
    servers = [(host, port or REDIS_PORT) for host, port in parts.servers]
    return open_slot(NAMESPACE, servers, {**parts.options, "retry": Retry(NoBackoff(), 1)}, tls=parts.tls)


_FORMS: Final[dict[str, Callable[[str], "redis.Redis"]]] = {
    "redis": _one,
    "unix": _one,
    "redis+sentinel": _sentinel,
    "redis+cluster": _cluster,
}
