"""`cadenza worker` as real processes: ended cleanly, replaced when they die, gone when their parent is."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
from pydantic import SecretStr

from deploy.chaos.proxy import Proxy
from deploy.sandbox.options import SandboxOptions
from deploy.sandbox.process import start_sandbox
from deploy.sandbox.settings import with_sandbox
from engine.settings import Settings
from workers.supervisor import environment_of

GENEROUS = 60.0

LED_BY = """
SELECT session.application_name FROM pg_locks holder JOIN pg_stat_activity session ON session.pid = holder.pid
WHERE holder.locktype = 'advisory' AND holder.objid = 4207002 AND holder.granted
    AND session.datname = current_database() AND session.application_name LIKE 'cadenza leader %%'
"""


def wait_for(state: Callable[[], Any], what: str) -> Any:
    """Wait until there is something, and give it."""
    deadline = time.monotonic() + GENEROUS
    while not (found := state()):
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.05)
    return found


class Worker:
    """A `cadenza worker` with two processes."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self.log = log
        with log.open("wb") as complaints:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "deploy.cli", "worker", "--processes", "2"],
                env={**os.environ, **environment_of(settings)},
                stdout=subprocess.PIPE,
                stderr=complaints,
            )
        assert self.process.stdout is not None
        self.says = self.process.stdout.readline().decode()

    def children(self) -> list[int]:
        """The pids of its worker processes."""
        return [
            child.pid
            for child in psutil.Process(self.process.pid).children()
            if child.status() != psutil.STATUS_ZOMBIE and "workers.process" in child.cmdline()
        ]

    def metrics(self) -> str:
        """What Prometheus would read."""
        with urllib.request.urlopen(self.says.split()[-1]) as answer:  # noqa: S310 (an address on loopback)
            text: str = answer.read().decode()
        return text

    def end(self) -> None:
        """Let it end cleanly, if it has not ended yet."""
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(GENEROUS)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def worker(settings: Settings, tmp_path: Path) -> Iterator[Worker]:
    with start_sandbox(SandboxOptions(data_dir=tmp_path / "sandbox")) as child:
        worker = Worker(with_sandbox(settings, child.sandbox), tmp_path / "worker.log")
        yield worker
        worker.end()


def test_it_ends_cleanly_by_sigterm(worker: Worker) -> None:
    pids = wait_for(lambda: len(worker.children()) == 2 and worker.children(), "two processes")
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(GENEROUS) == 0
    assert not any(alive(pid) for pid in pids)


def test_it_ends_by_sigterm_when_it_was_stopped_just_before(worker: Worker, world: Any) -> None:
    """The kernel gives such a signal to any thread, and Python looks at signals only in the main one."""
    pids = wait_for(lambda: len(worker.children()) == 2 and worker.children(), "two processes")
    world.enroll()
    wait_for(lambda: world.statuses()[0] == "sent", "they work")
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
        wait_for(lambda pid=pid: psutil.Process(pid).status() == psutil.STATUS_STOPPED, "it is stopped")  # type: ignore[misc]
        os.kill(pid, signal.SIGCONT)
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda pid=pid: not alive(pid), "it ends")  # type: ignore[misc]


def test_it_ends_though_redis_is_gone_and_messages_can_not_be_acknowledged(
    settings: Settings, world: Any, tmp_path: Path
) -> None:
    """Dramatiq would try to acknowledge them until Redis is there again."""
    assert settings.redis_url is not None
    url = settings.redis_url.get_secret_value()
    with start_sandbox(SandboxOptions(data_dir=tmp_path / "sandbox")) as child, Proxy.before(url) as proxy:
        child.sandbox.client.add_fault("sms", "latency", seconds=2)
        given = {"redis_url": SecretStr(proxy.url(url)), "in_flight": 2}
        worker = Worker(with_sandbox(settings, child.sandbox).model_copy(update=given), tmp_path / "worker.log")
        try:
            pids = wait_for(lambda: len(worker.children()) == 2 and worker.children(), "two processes")
            world.enroll(count=900)
            with redis.Redis.from_url(url) as client:
                wait_for(lambda: list(client.scan_iter("*__acks__*")), "a message waits for room")
            proxy.refuse()
            worker.process.send_signal(signal.SIGTERM)
            assert worker.process.wait(GENEROUS) == 0
            assert not any(alive(pid) for pid in pids)
            assert "worker process did not end" not in worker.log.read_text()
        finally:
            worker.process.kill()
            worker.process.wait()
            assert worker.process.stdout is not None
            worker.process.stdout.close()


def test_a_process_that_dies_is_replaced(worker: Worker, world: Any) -> None:
    first, second = wait_for(lambda: len(worker.children()) == 2 and worker.children(), "two processes")
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: len(set(worker.children()) - {first}) == 2, "another process")
    assert second in worker.children()
    world.enroll()
    wait_for(lambda: world.statuses()[0] == "sent", "work goes on")
    assert "worker process died" in worker.log.read_text()


def test_no_process_outlives_its_parent(worker: Worker) -> None:
    pids = wait_for(lambda: len(worker.children()) == 2 and worker.children(), "two processes")
    worker.process.kill()
    wait_for(lambda: not any(alive(pid) for pid in pids), "they end by themselves")


def test_the_metrics_of_all_processes_are_on_one_port(worker: Worker, world: Any) -> None:
    world.enroll(count=30)
    wait_for(lambda: world.statuses().count("sent") == 30, "the first steps are sent")
    names = (
        'cadenza_messages_total{channel="sms",outcome="sent"} 30.0',
        "cadenza_lateness_seconds_count",
        "cadenza_provider_seconds_count",
        'cadenza_outbox_rows{status="sent"} 30.0',
        "cadenza_oldest_due_seconds",
        'cadenza_wakeups{state="waiting"}',
        'cadenza_paused{channel="sms"} 0.0',
        'cadenza_enrollments_total{source="event"} 30.0',
    )
    wait_for(lambda: not set(names) - found_in(worker.metrics(), names), "all are exported")


def test_the_gauges_come_from_the_host_that_leads(settings: Settings, world: Any, tmp_path: Path) -> None:
    """A sum over the hosts is right, also after another one has taken the lead."""
    world.enroll(count=3)
    with start_sandbox(SandboxOptions(data_dir=tmp_path / "sandbox")) as child, ExitStack() as stack:
        hosts = []
        for number in range(2):
            host = Worker(with_sandbox(settings, child.sandbox), tmp_path / f"host-{number}.log")
            stack.callback(host.end)
            hosts.append(host)
        wait_for(lambda: len(exporting(hosts)) == 1, "one host exports the gauges")
        (first,) = exporting(hosts)
        (second,) = set(hosts) - {first}
        led = led_by(world)
        wait_for(lambda: another_leads(world, led), "the other host leads")
        wait_for(lambda: exporting(hosts) == [second], "the other host exports them, and only that")
        assert 'cadenza_enrollments_total{source="event"} 3.0' in second.metrics()
        assert "cadenza_wakeups" not in first.metrics()
        assert "cadenza_paused" not in first.metrics()


def exporting(hosts: list[Worker]) -> list[Worker]:
    """Those that export what all hosts have in common."""
    return [host for host in hosts if "cadenza_outbox_rows" in host.metrics()]


def led_by(world: Any) -> str | None:
    """How the leader's session is called; None: nobody leads."""
    rows = world.query(LED_BY)
    return rows[0][0] if rows else None


def another_leads(world: Any, led: str | None) -> bool:
    """Whether the lead has gone to another host; the leader's session is ended until then."""
    leads = led_by(world)
    if leads == led:
        world.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s", led)
    return leads not in (led, None)


def found_in(text: str, names: Sequence[str]) -> set[str]:
    """Those of the names that are in the text."""
    return {name for name in names if name in text}


def test_the_log_never_names_anybody(worker: Worker, world: Any) -> None:
    world.enroll(count=5)
    wait_for(lambda: world.statuses().count("sent") == 5, "the first steps are sent")
    worker.process.send_signal(signal.SIGTERM)
    worker.process.wait(GENEROUS)
    log = worker.log.read_text()
    assert log
    for secret in ("+1202555", "user1@", "Hi there", "sandbox-token"):
        assert secret not in log


def alive(pid: int) -> bool:
    """Whether a process still runs; one that nobody has reaped does not."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
