"""Redis as Debian packages it: with TLS, with users, behind Sentinels, as a Cluster."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis
from stock import StockServer, free_port, give, own_folder, program, running, wait_for


@contextmanager
def redis_server(folder: Path, *options: str, port: int | None = None) -> Iterator[StockServer]:
    """A server with these options."""
    port = port or free_port()
    own = [] if "--port" in options else ["--port", str(port)]
    command = [program("redis-server"), *own, "--bind", "127.0.0.1", "--save", "", "--daemonize", "no"]
    with running(folder, port, *command, *options) as server:
        yield server


def make_certificates(folder: Path) -> dict[str, Path]:
    """An authority, and what it signed for 127.0.0.1 and for a client."""
    openssl = program("openssl")

    def run(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], cwd=folder, check=True, capture_output=True, timeout=60)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    run("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=Authority")
    for name in ("server", "client"):
        run("req", *key[:5], "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / "san").write_text("subjectAltName=IP:127.0.0.1")
        run(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"),
            *("-days", "2", "-extfile", "san", "-out", f"{name}.crt"),
        )
    for file in folder.iterdir():
        give(file)
    return {
        name: folder / file
        for name, file in {
            "ca": "ca.crt",
            "server_cert": "server.crt",
            "server_key": "server.key",
            "client_cert": "client.crt",
            "client_key": "client.key",
        }.items()
    }


@dataclass
class Watched:
    """A master, a replica, and three Sentinels that watch them."""

    servers: dict[int, StockServer]
    sentinels: list[int]
    password: str

    def master(self) -> int:
        """The port of the server that the Sentinels call the master."""
        with redis.Redis(port=self.sentinels[0], decode_responses=True) as sentinel:
            return int(sentinel.sentinel_get_master_addr_by_name("mine")[1])

    @property
    def url(self) -> str:
        """Where it is."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.sentinels)
        return f"redis+sentinel://:{self.password}@{hosts}/mine/0"


@contextmanager
def watched_redis() -> Iterator[Watched]:
    """Run all five."""
    password = "of-the-servers"
    with ExitStack() as stack:
        folder = stack.enter_context(own_folder())
        users = ("--requirepass", password, "--masterauth", password)
        master = stack.enter_context(redis_server(folder, *users))
        replica = stack.enter_context(redis_server(folder, *users, "--replicaof", "127.0.0.1", str(master.port)))
        with redis.Redis(port=replica.port, password=password) as client:
            wait_for(lambda: client.info("replication")["master_link_status"] == "up", "the replica follows")
        ports = []
        for number in range(3):
            ports.append(free_port())
            config = folder / f"sentinel-{number}.conf"
            config.write_text(
                f"port {ports[-1]}\nbind 127.0.0.1\nsentinel monitor mine 127.0.0.1 {master.port} 2\n"
                f"sentinel auth-pass mine {password}\nsentinel down-after-milliseconds mine 1000\n"
                "sentinel failover-timeout mine 5000\n"
            )
            give(config)
            stack.enter_context(running(folder, ports[-1], program("redis-server"), str(config), "--sentinel"))
        watched = Watched({master.port: master, replica.port: replica}, ports, password)
        with redis.Redis(port=ports[0], decode_responses=True) as sentinel:
            wait_for(lambda: len(sentinel.sentinel_slaves("mine")) == 1, "the Sentinels know the replica")
            wait_for(lambda: len(sentinel.sentinel_sentinels("mine")) == 2, "the Sentinels know each other")
        yield watched


@dataclass
class Cluster:
    """Two servers that share the slots."""

    servers: list[StockServer]
    slot: int

    def owner(self) -> int:
        """The number of the server that has the slot of our keys."""
        for number, server in enumerate(self.servers):
            with redis.Redis(port=server.port) as client:
                for first, last, owner, *_ in client.execute_command("CLUSTER", "SLOTS"):
                    if first <= self.slot <= last and owner[1] == server.port:
                        return number
        raise LookupError("nobody has it")

    def move(self) -> None:
        """Give the slot, and all keys in it, to the other server."""
        source, target = self.servers[self.owner()], self.servers[1 - self.owner()]
        with redis.Redis(port=source.port) as old, redis.Redis(port=target.port) as new:
            old_id, new_id = (one.execute_command("CLUSTER", "MYID") for one in (old, new))
            new.execute_command("CLUSTER", "SETSLOT", self.slot, "IMPORTING", old_id)
            old.execute_command("CLUSTER", "SETSLOT", self.slot, "MIGRATING", new_id)
            while keys := old.execute_command("CLUSTER", "GETKEYSINSLOT", self.slot, 100):
                old.execute_command("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
            for one in (new, old):
                one.execute_command("CLUSTER", "SETSLOT", self.slot, "NODE", new_id)


@contextmanager
def redis_cluster(slot: int) -> Iterator[Cluster]:
    """Run it."""
    with ExitStack() as stack:
        servers = []
        for number in range(2):
            folder = stack.enter_context(own_folder())
            options = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
            servers.append(stack.enter_context(redis_server(folder, *options)))
            with redis.Redis(port=servers[-1].port) as client:
                half = (0, 8191) if number == 0 else (8192, 16383)
                client.execute_command("CLUSTER", "ADDSLOTSRANGE", *half)
                client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
                if number:
                    bus = folder_bus(servers[0])
                    client.execute_command("CLUSTER", "MEET", "127.0.0.1", servers[0].port, bus)
        for server in servers:
            with redis.Redis(port=server.port, decode_responses=True) as client:
                wait_for(lambda c=client: "cluster_state:ok" in c.execute_command("CLUSTER", "INFO"), "it is whole")
        yield Cluster(servers, slot)


def folder_bus(server: StockServer) -> int:
    """The port at which servers of a Cluster talk to each other."""
    with redis.Redis(port=server.port) as client:
        return int(client.config_get("cluster-port")["cluster-port"])
