"""`cadenza worker`: keeps worker processes going, replaces those that die, and serves the metrics of all."""

import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from threading import Event
from typing import Final
from wsgiref.simple_server import WSGIServer

import structlog
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from pydantic import SecretStr

from engine.clock import SequenceClock
from engine.database import Database
from engine.errors import Unavailable
from engine.settings import PREFIX, Settings
from engine.wakeups import Wakeups
from workers.gauges import Gauges

log = structlog.get_logger(__name__)

#: Real seconds between two looks at the processes.
LOOK: Final = 0.2

#: A process that dies sooner than this is replaced after a pause that grows up to the longest. Real seconds.
HEALTHY: Final = 10.0
LONGEST_PAUSE: Final = 30.0


@dataclass(slots=True)
class Child:
    """A worker process, or the place of one that is to be started."""

    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    deaths: int = 0
    not_before: float = field(default_factory=time.monotonic)


class Supervisor:
    """Runs so many worker processes until told to stop."""

    def __init__(self, settings: Settings, processes: int, threads: int) -> None:
        """Prepare. The settings name the servers."""
        self._settings = settings
        self._threads = threads
        self._host = secrets.token_hex(8)
        self._children = [Child() for _ in range(processes)]

    def run(self, stop: Event, ready: Callable[[str], None]) -> None:
        """Work until told to stop; `ready` is told where the metrics are.

        Raises:
            Unavailable: the port of the metrics is taken.
        """
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="cadenza-metrics-"))
            ready(self._serve_metrics(folder, stack))
            stack.callback(self._end_all)
            while not stop.is_set():
                for child in self._children:
                    self._look_after(child, folder)
                stop.wait(LOOK)

    def _serve_metrics(self, folder: str, stack: ExitStack) -> str:
        settings = self._settings
        if settings.database_url is None or settings.redis_url is None:
            raise Unavailable("no database or no Redis is configured")
        database = Database(settings.database_url.get_secret_value(), size=2, name="cadenza metrics")
        wakeups = Wakeups(settings.redis_url.get_secret_value())
        stack.callback(database.close)
        stack.callback(wakeups.close)
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]
        registry.register(Gauges(database, wakeups, SequenceClock(database), self._host))
        try:
            server, thread = start_http_server(settings.metrics_port, settings.metrics_host, registry)
        except OSError as error:
            raise Unavailable(
                f"metrics: {settings.metrics_host}:{settings.metrics_port}: {error.strerror};"
                " choose another port with CADENZA_METRICS_PORT (0: any free one)"
            ) from None
        stack.callback(thread.join)
        stack.callback(_close, server)
        return f"http://{settings.metrics_host}:{server.server_port}/metrics"

    def _look_after(self, child: Child, folder: str) -> None:
        now = time.monotonic()
        if child.process is not None and child.process.poll() is not None:
            self._bury(child, folder, now)
        if child.process is None and now >= child.not_before:
            child.process = self._start(folder)
            child.started = now
            log.info("worker process started", pid=child.process.pid)

    def _bury(self, child: Child, folder: str, now: float) -> None:
        process = child.process
        if process is None:
            return
        child.deaths = 0 if now - child.started > HEALTHY else child.deaths + 1
        pause = min(LONGEST_PAUSE, child.deaths**2 * 0.5)
        log.error("worker process died: starting another", pid=process.pid, exit=process.returncode, in_seconds=pause)
        mark_process_dead(process.pid, path=folder)  # type: ignore[no-untyped-call]
        if process.stdin is not None:
            process.stdin.close()
        child.process = None
        child.not_before = now + pause

    def _start(self, folder: str) -> "subprocess.Popen[bytes]":
        """Start a process; it ends when it is told to, or when this one is gone and its standard input closes."""
        return subprocess.Popen(
            [sys.executable, "-m", "workers.process", str(self._threads), self._host],
            stdin=subprocess.PIPE,
            process_group=0,  # Ctrl-C in a terminal is for this process, which ends them in order
            env={
                **os.environ,
                **environment_of(self._settings),
                "PROMETHEUS_MULTIPROC_DIR": folder,
                "dramatiq_queue_prefetch": str(self._threads),
                "dramatiq_restart_delay": "1000",
            },
        )

    def _end_all(self) -> None:
        """Let every process finish what it has in flight."""
        processes = [child.process for child in self._children if child.process is not None]
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(self._settings.lease_seconds + self._settings.provider_timeout + 10)
            except subprocess.TimeoutExpired:
                log.warning("worker process did not end: killed", pid=process.pid)
                process.kill()
                process.wait()
            if process.stdin is not None:
                process.stdin.close()


def environment_of(settings: Settings) -> dict[str, str]:
    """The settings as environment variables, for another process of ours."""
    values: dict[str, str] = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if value is not None:
            values[PREFIX + name.upper()] = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    return values


def _close(server: WSGIServer) -> None:
    server.shutdown()
    server.server_close()
