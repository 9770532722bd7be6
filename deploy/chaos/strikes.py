"""What each kind of fault does, and how it ends."""

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from deploy.chaos.children import Command
from deploy.chaos.effects import COMMIT, HABITS, NETWORK, PROMOTION, PROVIDERS, Wire
from deploy.chaos.faults import Fault
from deploy.chaos.kinds import Kind
from deploy.chaos.proxy import Proxy
from deploy.chaos.servers import OwnServers
from deploy.chaos.service import Machine, Service
from deploy.chaos.stage import Stage
from deploy.chaos.trap import Moment, Strike

End: TypeAlias = Callable[[], None]


@dataclass(slots=True)
class Struck:
    """A fault that came about. Epoch seconds of real time."""

    fault: Fault
    began: float
    ended: float | None = None


class Strikes:
    """Lets faults happen on a stage, and end."""

    def __init__(self, stage: Stage, servers: OwnServers, machines: Sequence[Machine], api: Service[Command]) -> None:
        """Prepare."""
        self.struck: list[Struck] = []
        self.missed: list[Fault] = []
        """There was nothing to strike: it was away already."""
        self._stage = stage
        self._servers = servers
        self._machines = machines
        self._api = api
        self._ends: dict[Fault, tuple[Struck, End]] = {}
        self._ways: Mapping[str, Proxy] = {
            "redis": stage.redis_proxy,
            "postgres": stage.postgres_proxy,
            "sms": stage.sms_proxy,
            "email": stage.smtp_proxy,
            "callbacks": stage.api_proxy,
        }

    def begin(self, fault: Fault) -> None:
        """Let it happen."""
        began = time.time()
        try:
            end = self._strike(fault)
        except (ProcessLookupError, LookupError, redis.ConnectionError):
            end = None
        if end is None:
            self.missed.append(fault)
            return
        struck = Struck(fault, began)
        self.struck.append(struck)
        self._ends[fault] = struck, end
        if not fault.seconds:
            self.end(fault)

    def end(self, fault: Fault) -> None:
        """Let it end, if it came about and has not ended."""
        if fault in self._ends:
            struck, end = self._ends.pop(fault)
            end()
            struck.ended = time.time()

    def end_all(self) -> None:
        """Let everything end that still goes on."""
        for fault in list(self._ends):
            self.end(fault)

    def _strike(self, fault: Fault) -> End | None:
        """Do it, and give what ends it; None: there was nothing to strike."""
        kind = fault.kind
        if kind in PROVIDERS:
            return self._provider(fault)
        if kind in HABITS:
            return self._callbacks(HABITS[kind])
        if kind in NETWORK:
            way, wire = NETWORK[kind]
            return _on_the_way(self._ways[way], wire)
        return self._on_processes(fault)

    def _on_processes(self, fault: Fault) -> End | None:
        machine = self._machines[int(fault.pick * len(self._machines))]
        match fault.kind:
            case Kind.WORKER_KILLED:
                return _done(self._strike_worker(fault, signal.SIGKILL) is not None)
            case Kind.WORKER_STOPPED:
                return self._stop_worker(fault)
            case Kind.SUPERVISOR_KILLED:
                return _done(machine.kill(fault.seconds))
            case Kind.SUPERVISOR_STOPPED:
                return machine.thaw if machine.freeze() else None
            case Kind.MACHINE_LOST:
                return _done(machine.lose(fault.seconds))
            case Kind.API_KILLED:
                return _done(self._api.kill(fault.seconds))
            case Kind.REDIS_FLUSHED:
                return self._flush()
            case Kind.REDIS_KILLED:
                self._servers.kill_redis()
            case Kind.POSTGRES_RESTARTED:
                self._servers.restart_postgres()
            case Kind.REDIS_REPLY_LOST:
                self._lose_replies(self._stage.redis_proxy, PROMOTION)
            case Kind.COMMIT_REPLY_LOST:
                self._lose_replies(self._stage.postgres_proxy, COMMIT)
            case kind:
                raise NotImplementedError(kind)
        return _nothing

    def _strike_worker(self, fault: Fault, number: signal.Signals) -> tuple[Machine, int] | None:
        workers = [(machine, pid) for machine in self._machines for pid in machine.processes()]
        if not workers:
            return None
        machine, pid = workers[int(fault.pick * len(workers))]
        return (machine, pid) if machine.strike(pid, number) else None

    def _stop_worker(self, fault: Fault) -> End | None:
        struck = self._strike_worker(fault, signal.SIGSTOP)
        if struck is None:
            return None
        machine, pid = struck

        def go_on() -> None:
            machine.strike(pid, signal.SIGCONT)

        return go_on

    def _lose_replies(self, way: Proxy, word: bytes) -> None:
        """Two connections are reset as soon as the next such words have been heard."""
        way.disarm()
        way.trap(word, strike=Strike.RESET, moment=Moment.ANSWERED, times=2)

    def _flush(self) -> End:
        with redis.Redis.from_url(self._stage.redis_url, socket_timeout=2, retry=Retry(NoBackoff(), 0)) as client:
            client.flushall()
        return _nothing

    def _provider(self, fault: Fault) -> End:
        client = self._stage.sandbox.client
        spec = PROVIDERS[fault.kind].model_dump(exclude_none=True)
        report = client.add_fault(**{**spec, "share": fault.share, "seed": int(fault.pick * 1_000_000)})

        def mend() -> None:
            client.end_faults(report.id)

        return mend

    def _callbacks(self, habits: dict[str, Any]) -> End:
        client = self._stage.sandbox.client
        client.set_callbacks(**habits)
        return client.set_callbacks


def _on_the_way(way: Proxy, wire: Wire) -> End:
    match wire:
        case Wire.CUT:
            way.cut()
        case Wire.RESET:
            way.reset()
        case Wire.STALL:
            way.stall()
            return way.release
        case Wire.REFUSE:
            way.refuse()
            return way.accept
    return _nothing


def _nothing() -> None:
    """It is over by itself."""


def _done(struck: bool) -> End | None:
    return _nothing if struck else None
