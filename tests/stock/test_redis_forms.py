"""Redis with TLS, with users that may do little, behind Sentinels, and as a Cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr
from redis.crc import key_slot
from stage_site import Site
from stock import free_port, own_folder, wait_for
from stock_redis import make_certificates, redis_cluster, redis_server, watched_redis

from engine.redis_connection import NAMESPACE
from engine.wakeups import Wakeups, WakeupsUnavailable

ONE_SMS = """
sequence: single
steps: [{key: only, type: sms, body: "Hi {{ contact.external_id }}"}]
"""

#: Somebody leads the sweep of this database.
LED = """
SELECT pid FROM pg_locks JOIN pg_database d ON d.oid = database
WHERE locktype = 'advisory' AND objid = 4207002 AND granted AND d.datname = current_database()
"""

#: What docs/servers.md gives a user of ours; braces are nothing special in a pattern.
USER = (
    *("on", ">may-little", f"~{NAMESPACE}", f"~{NAMESPACE}:*", f"&{NAMESPACE}:*"),
    *("+@read", "+@write", "+@scripting", "+@connection", "+@pubsub", "-@dangerous", "+info", "+cluster|slots"),
)


def goes_out(site: Site, url: str) -> None:
    """Messages go out by their wake-ups alone: nothing is swept meanwhile."""
    with working_with(site, url):
        site.enroll("single", count=3)
        site.until("sent", "sent", "sent")


@contextmanager
def working_with(site: Site, url: str) -> Iterator[None]:
    """Workers and producers use this Redis; the sweep comes once, at the beginning."""
    site.world.publish(ONE_SMS)
    site.settings = site.settings.model_copy(update={"redis_url": SecretStr(url), "sweep_seconds": 3_600.0})
    site.wakeups = Wakeups(url)
    with site.working():
        wait_for(lambda: site.world.query(LED), "the sweep is led")
        yield
    site.wakeups.close()


def test_with_tls_and_certificates_of_both_sides(site: Site) -> None:
    with own_folder() as folder:
        made = make_certificates(folder)
        options = ("--tls-cert-file", str(made["server_cert"]), "--tls-key-file", str(made["server_key"]))
        port = free_port()
        with redis_server(folder, "--port", "0", "--tls-port", str(port), *options, *ca(made), port=port):
            mine = f"ssl_certfile={made['client_cert']}&ssl_keyfile={made['client_key']}"
            goes_out(site, f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={made['ca']}&{mine}")
            with pytest.raises(WakeupsUnavailable, match=r"(?i)certificate"):
                Wakeups(f"rediss://127.0.0.1:{port}/0?{mine}").check()  # nobody has vouched for the server


def ca(made: dict[str, Path]) -> tuple[str, str]:
    """The option of a server that trusts our authority."""
    return "--tls-ca-cert-file", str(made["ca"])


def test_with_a_user_that_may_do_no_more_than_it_needs(site: Site) -> None:
    with own_folder() as folder, redis_server(folder) as server, redis.Redis(port=server.port) as client:
        client.execute_command("ACL", "SETUSER", "cadenza", *USER)
        client.execute_command("ACL", "SETUSER", "default", "resetpass", ">of-the-administrator")
        url = f"redis://cadenza:may-little@127.0.0.1:{server.port}/0"
        goes_out(site, url)
        assert client.execute_command("ACL", "LOG") == []
        with redis.Redis.from_url(url) as ours, pytest.raises(redis.exceptions.NoPermissionError):
            ours.set("theirs", "1")
        with redis.Redis.from_url(url) as ours, pytest.raises(redis.exceptions.NoPermissionError):
            ours.flushall()


def test_a_failover_of_the_sentinels_is_followed(site: Site) -> None:
    with watched_redis() as watched, working_with(site, watched.url):
        site.enroll("single", count=2)
        site.until("sent", "sent")
        first = watched.master()
        watched.servers[first].kill()
        wait_for(lambda: watched.master() != first, "the Sentinels name another")
        enroll_until_taken(site, watched.url)
        site.until("sent", "sent", "sent")


def enroll_until_taken(site: Site, url: str) -> None:
    """Enroll one more, as soon as the new master takes writes: the sweep would come in an hour."""

    def takes_writes() -> bool:
        try:
            site.wakeups.check()
        except WakeupsUnavailable:
            return False
        return True

    wait_for(takes_writes, f"writes at {url}")
    site.enroll("single")


def test_keys_of_a_cluster_are_followed_to_another_server(site: Site) -> None:
    with redis_cluster(key_slot(NAMESPACE.encode())) as cluster:
        url = "redis+cluster://" + ",".join(f"127.0.0.1:{server.port}" for server in cluster.servers)
        with working_with(site, url):
            site.enroll("single", count=2)
            site.until("sent", "sent")
            before = cluster.owner()
            cluster.move()
            assert cluster.owner() != before
            enroll_until_taken(site, url)
            site.until("sent", "sent", "sent")
        with redis.Redis(port=cluster.servers[before].port) as client:
            assert client.dbsize() == 0


def test_one_server_of_a_cluster_is_enough_to_find_the_others() -> None:
    with redis_cluster(key_slot(NAMESPACE.encode())) as cluster:
        stranger = cluster.servers[1 - cluster.owner()]
        wakeups = Wakeups(f"redis+cluster://127.0.0.1:1,127.0.0.1:{stranger.port}/0")
        wakeups.schedule([(1.0, [1, 2, 3])])
        assert wakeups.counts() == {"waiting": 3, "retrying": 0, "queued": 0}
        assert wakeups.promote(2.0, 2.0).moved == 3
        wakeups.close()
