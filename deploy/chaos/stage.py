"""A stage: database, Redis and sandbox providers, each behind a proxy, and the settings that lead there."""

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import redis
from pydantic import SecretStr

from deploy.audit import Audit, audit
from deploy.chaos.children import Command, Workers
from deploy.chaos.proxy import Proxy
from deploy.sandbox.options import SandboxOptions
from deploy.sandbox.process import SandboxProcess, start_sandbox
from deploy.sandbox.settings import with_sandbox
from engine.database import Database
from engine.redis_connection import open_redis
from engine.settings import Settings
from engine.wakeups import Wakeups
from workers.supervisor import environment_of

#: Everything quick, so that a scenario takes seconds: leases, sweeps, tries and look-ups. Real seconds.
QUICK: Final[Mapping[str, Any]] = {
    "lease_seconds": 2.0,
    "sweep_seconds": 0.5,
    "retry_seconds": 0.2,
    "reconcile_grace_seconds": 5.0,
    "reconcile_interval_seconds": 1.0,
    "api_port": 0,
    "metrics_port": 0,
}


@dataclass
class Stage:
    """What happens here reaches the servers and the providers through proxies only; we look past them."""

    folder: Path
    settings: Settings
    """Of the processes: their addresses are the proxies'."""
    database_url: str
    redis_url: str
    database: Database
    wakeups: Wakeups
    redis: "redis.Redis"
    sandbox: SandboxProcess
    postgres_proxy: Proxy
    redis_proxy: Proxy
    sms_proxy: Proxy
    smtp_proxy: Proxy
    api_proxy: Proxy
    """Where the providers' callbacks arrive; nobody is behind it until the API runs."""
    _stack: ExitStack = field(repr=False)
    _count: int = 0

    @property
    def proxies(self) -> tuple[Proxy, ...]:
        """All of them."""
        return self.postgres_proxy, self.redis_proxy, self.sms_proxy, self.smtp_proxy, self.api_proxy

    def environment(self, **changes: Any) -> dict[str, str]:
        """The settings as environment variables, with some changed."""
        return environment_of(self.settings.model_copy(update=changes))

    def workers(
        self, processes: int = 1, *, threads: int = 4, also: Mapping[str, str] | None = None, **changes: Any
    ) -> Workers:
        """Start `cadenza worker`, `also` with these variables; it ends with the stage at the latest."""
        environment = {**self.environment(**changes), **(also or {})}
        started = Workers(environment, self._log("worker"), processes=processes, threads=threads)
        return self._stack.enter_context(started)

    def command(self, *arguments: str, **changes: Any) -> Command:
        """Start another `cadenza` command that stays; it ends with the stage at the latest."""
        return self._stack.enter_context(Command(arguments, self.environment(**changes), self._log(arguments[0])))

    def api(self, **changes: Any) -> Command:
        """Start `cadenza api`, behind the public URL; it ends with the stage at the latest."""
        api = self.command("api", **changes)
        self.api_proxy.lead_to(re.findall(r"http://[^\s/]+", api.says)[0])
        return api

    def audit(self) -> Audit:
        """Hold the sandbox's ledger against the database."""
        return audit(self.database, self.sandbox.sandbox.ledger)

    def calm(self) -> None:
        """End all faults: of the proxies and of the providers."""
        for proxy in self.proxies:
            proxy.disarm()
            proxy.accept()
            proxy.release()
        self.sandbox.client.end_faults()

    def _log(self, name: str) -> Path:
        self._count += 1
        return self.folder / f"{name}-{self._count}.log"


@contextmanager
def open_stage(folder: Path, database_url: str, redis_url: str, **changes: Any) -> Iterator[Stage]:
    """Put up a stage on a migrated database and an empty Redis; everything on it ends with it.

    Raises:
        CadenzaError: something of it can't be started.
    """
    with ExitStack() as stack:
        sandbox = stack.enter_context(start_sandbox(SandboxOptions(data_dir=folder / "sandbox")))
        where = sandbox.sandbox
        postgres_proxy = stack.enter_context(Proxy.before(database_url))
        redis_proxy = stack.enter_context(Proxy.before(redis_url))
        sms_proxy = stack.enter_context(Proxy.before(where.http_url))
        smtp_proxy = stack.enter_context(Proxy.before(where.smtp_url))
        api_proxy = stack.enter_context(Proxy())
        database = Database(database_url, name="cadenza stage")
        stack.callback(database.close)
        wakeups = Wakeups(redis_url)
        stack.callback(wakeups.close)
        settings = Settings(
            _env_file=None,
            database_url=SecretStr(postgres_proxy.url(database_url)),
            redis_url=SecretStr(redis_proxy.url(redis_url)),
            data_dir=folder / "data",
            public_url=api_proxy.url("http://api"),
            **{**QUICK, **changes},
        )
        settings = with_sandbox(settings, where).model_copy(
            update={
                "twilio_api_url": sms_proxy.url(where.http_url),
                "smtp_url": SecretStr(smtp_proxy.url(where.smtp_url)),
            }
        )
        yield Stage(
            folder,
            settings,
            database_url,
            redis_url,
            database,
            wakeups,
            stack.enter_context(open_redis(redis_url)),
            sandbox,
            postgres_proxy,
            redis_proxy,
            sms_proxy,
            smtp_proxy,
            api_proxy,
            stack.enter_context(ExitStack()),
        )
