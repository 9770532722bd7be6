"""What the URL of Redis may be, and what is said of others."""

import pytest
from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection

from engine.errors import InvalidInput
from engine.redis_connection import open_redis

PLAIN = "redis://ann:s%40crt@10.0.0.1:7000/3?socket_timeout=9"


def test_one_server() -> None:
    options = open_redis(PLAIN).connection_pool.connection_kwargs
    assert (options["host"], options["port"], options["db"]) == ("10.0.0.1", 7000, 3)
    assert (options["username"], options["password"]) == ("ann", "s@crt")
    assert (options["socket_timeout"], options["socket_connect_timeout"]) == (9, 5)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("redis://h", Connection),
        ("rediss://h?ssl_ca_certs=/ca.crt&ssl_cert_reqs=required", SSLConnection),
        ("unix:///run/redis.sock", UnixDomainSocketConnection),
        ("redis+sentinel://h/mine", Connection),
        ("rediss+sentinel://h/mine", SSLConnection),
        ("redis+cluster://h", Connection),
        ("rediss+cluster://h", SSLConnection),
    ],
)
def test_each_form_has_its_connections(url: str, kind: type[Connection]) -> None:
    assert issubclass(open_redis(url).connection_pool.connection_class, kind)


def test_sentinels_have_credentials_of_their_own() -> None:
    url = "rediss+sentinel://ann:one@a,b:7/mine/2?sentinel_username=bob&sentinel_password=two&ssl_ca_certs=/ca.crt"
    pool = open_redis(url).connection_pool
    assert pool.service_name == "mine"
    servers = pool.connection_kwargs
    assert (servers["username"], servers["password"], servers["db"]) == ("ann", "one", 2)
    watching = [sentinel.connection_pool.connection_kwargs for sentinel in pool.sentinel_manager.sentinels]
    assert [(one["host"], one["port"]) for one in watching] == [("a", 26379), ("b", 7)]
    for one in watching:
        assert (one["username"], one["password"], one["ssl_ca_certs"]) == ("bob", "two", "/ca.crt")
        assert one["socket_timeout"] == 5
        assert one.get("db", 0) == 0


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost",
        "http://h",
        "redis://user:s3cret@h:port/0",
        "redis://user:s3cret@h/0?no_such_option=1",
        "redis://user:s3cret@h/0?socket_timeout=soon",
        "rediss://user:s3cret@h/0?ssl_cert_reqs=perhaps",
        "redis+sentinel://user:s3cret@h",
        "redis+sentinel://user:s3cret@/mine",
        "redis+sentinel://user:s3cret@h/mine/first",
        "redis+sentinel://user:s3cret@h/mine/0/1",
        "redis+cluster://user:s3cret@h/1",
        "redis+cluster://user:s3cret@h:0",
        "redis+other://user:s3cret@h",
    ],
)
def test_what_cannot_be_read_is_refused_without_a_secret(url: str) -> None:
    with pytest.raises(InvalidInput, match="CADENZA_REDIS_URL can't be read") as refused:
        open_redis(url)
    assert "s3cret" not in str(refused.value)
