"""Redis flushed, killed and restarted while messages go out: each goes out once, and none is lost (promise P6)."""

import os
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from cli import Cli, ReadyCli, query, ready_server, wait_for

from deploy.local.clean import clean
from deploy.local.data_dir import DataDir
from deploy.local.servers import local_servers
from deploy.sandbox.ledger import read_ledger
from deploy.sandbox.options import SandboxOptions
from deploy.sandbox.process import start_sandbox
from deploy.sandbox.settings import with_sandbox
from deploy.sandbox.state import Sandbox
from engine import clock
from engine.database import Database
from engine.errors import Unavailable
from engine.settings import Settings

PEOPLE = 160

#: Where nobody listens.
NOBODY = "redis://127.0.0.1:1/0"

SEQUENCE = """
sequence: follow-up
steps:
  - {key: first, type: sms, body: "First, {{ contact.external_id }}"}
  - {key: second, type: email, delay: 1 day, subject: "Second, {{ contact.external_id }}", text: Hello}
  - {key: third, type: sms, delay: 1 day, body: "Third, {{ contact.external_id }}"}
  - {key: fourth, type: email, delay: 1 day, subject: "Fourth, {{ contact.external_id }}", text: Hello}
"""


@dataclass
class Site:
    """Servers of this test's own, a sandbox that takes its time, and workers."""

    cli: Cli
    settings: Settings
    database: Database
    sandbox: Sandbox

    @property
    def redis_url(self) -> str:
        assert self.settings.redis_url is not None
        return self.settings.redis_url.get_secret_value()

    def valkey(self) -> int:
        """The process id of the Redis server that runs."""
        record = DataDir(self.settings.data_dir).read_record()
        assert record is not None
        return record.valkey_pid

    def sent(self) -> int:
        """How many rows are sent."""
        return int(query(self.database, "SELECT count(*) FROM outbox WHERE status = 'sent'")[0][0])

    def flush(self) -> None:
        """Forget everything."""
        with redis.Redis.from_url(self.redis_url) as client:
            client.flushall()

    def replaced(self, end: Callable[[int], object]) -> None:
        """End the Redis server, and wait for the one that takes its place."""
        before = self.valkey()
        end(before)
        wait_for(lambda: self.valkey() != before and self.answers(), "another Redis server")

    def answers(self) -> bool:
        """Whether Redis answers."""
        try:
            with redis.Redis.from_url(self.redis_url) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


@pytest.fixture(scope="module")
def server() -> Iterator["subprocess.Popen[bytes]"]:
    with ready_server() as server:
        yield server


@pytest.fixture
def site(tmp_path: Path, server: "subprocess.Popen[bytes]") -> Iterator[Site]:
    with tempfile.TemporaryDirectory(prefix="cadenza-redis-") as folder:
        if os.geteuid() == 0:
            Path(folder).chmod(0o711)  # the servers run as another user then
        asked = Settings(
            _env_file=None,
            data_dir=Path(folder) / "data",
            lease_seconds=10,
            sweep_seconds=1,
            in_flight=8,
            metrics_port=0,
        )
        with local_servers(asked) as running, start_sandbox(SandboxOptions(data_dir=tmp_path / "sandbox")) as child:
            settings = with_sandbox(running, child.sandbox)
            for channel in ("sms", "email"):
                child.sandbox.client.add_fault(channel, "latency", seconds=0.1)  # type: ignore[arg-type]
            assert settings.database_url is not None
            database = Database(settings.database_url.get_secret_value(), name="cadenza-test")
            try:
                yield Site(ReadyCli(settings, tmp_path, server), settings, database, child.sandbox)
            finally:
                database.close()
        wait_until_clean(asked.data_dir)


def wait_until_clean(data_dir: Path) -> None:
    """Delete the data, as soon as the last process that used it is gone."""

    def cleaned() -> bool:
        try:
            clean(data_dir)
        except Unavailable:
            return False
        return True

    wait_for(cleaned, "nobody uses the servers")


def test_whatever_happens_to_redis_each_message_goes_out_once(site: Site) -> None:
    site.cli("migrate").check(0)
    site.cli("workspace", "set", "default", "--quiet-hours", "off").check(0)
    site.cli("apply", site.cli.file("follow-up.yaml", SEQUENCE)).check(0)
    people = [f"p{n},p{n}@example.com,+1212{2_000_000 + n}\n" for n in range(PEOPLE)]
    header = "external_id,email,phone\n"
    site.cli.file("half.csv", header + "".join(people[: PEOPLE // 2]))
    site.cli.file("all.csv", header + "".join(people))
    ran = site.cli("enroll", "follow-up", "half.csv", "--json", CADENZA_REDIS_URL=NOBODY).check(0)
    assert "the sweeper makes up for their wake-ups" in ran.complaint
    assert "Connection refused" in ran.document["wakeups_warning"]
    worker = site.cli.start("worker", "--processes", "2")
    try:
        site.cli("enroll", "follow-up", "all.csv").check(0)
        wait_for(lambda: site.sent() > PEOPLE // 5, "some of the first step")
        site.flush()
        wait_for(lambda: site.sent() == PEOPLE, "all of the first step")
        disturbances: list[Callable[[], None]] = [
            lambda: site.replaced(lambda pid: os.kill(pid, signal.SIGKILL)),
            lambda: site.replaced(lambda pid: os.kill(pid, signal.SIGTERM)),
            site.flush,
        ]
        for step, disturb in enumerate(disturbances, start=1):
            with site.database.transaction() as session:
                clock.advance(session, timedelta(days=1))
            wait_for(lambda done=step: site.sent() > done * PEOPLE + PEOPLE // 5, "some of the next step")
            disturb()
            wait_for(lambda done=step: site.sent() == (done + 1) * PEOPLE, "all of the next step")
        status = site.cli("status", "--json").check(0).document
        assert status["rows"]["sent"] == 4 * PEOPLE == sum(status["rows"].values())
        assert status["oldest_due_at"] is None
    finally:
        worker.tell(signal.SIGTERM)
        ended = worker.ended()
    assert ended.code == 0
    audit = site.cli("audit", "--ledger", site.sandbox.ledger, "--json").check(0).document
    assert (audit["clean"], audit["accepted_once"], audit["acceptances"]) == (True, 4 * PEOPLE, 4 * PEOPLE)
    said = Counter((entry.to, entry.body or entry.subject) for entry in read_ledger(site.sandbox.ledger))
    assert len(said) == 4 * PEOPLE
    assert set(said.values()) == {1}
