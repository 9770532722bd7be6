"""Real channels over real sockets to the sandbox, against bare loops of the same clients."""

import time
from collections import Counter
from typing import Final, Literal

from deploy.bench.children import children, hear, tell
from deploy.bench.drain import settled_a_second, wait_until_settled
from deploy.bench.ground import Ground
from deploy.bench.measure import Asked, Result, by_turns
from deploy.bench.sequences import ONE_EMAIL, ONE_SMS
from deploy.bench.workers import PROCESSES, worker_processes
from deploy.sandbox.ledger import read_ledger
from deploy.sandbox.options import SandboxOptions
from deploy.sandbox.process import start_sandbox
from deploy.sandbox.settings import with_sandbox
from deploy.sandbox.state import Sandbox

#: Connections on each side, over both processes: as many as may be in flight by default.
CONNECTIONS: Final = 128

MESSAGES: Final = 4_000


def sms_vs_bare_http(ground: Ground) -> Result:
    """SMS from due to settled, against a loop that only posts."""
    return _against_bare(ground, "sms", ONE_SMS, "sms_vs_bare_http")


def email_vs_bare_smtp(ground: Ground) -> Result:
    """Email from due to settled, against a loop of pooled smtplib connections with prebuilt bytes."""
    return _against_bare(ground, "email", ONE_EMAIL, "email_vs_bare_smtp")


def _against_bare(ground: Ground, channel: Literal["sms", "email"], sequence: str, measure: str) -> Result:
    count = ground.count(MESSAGES)

    def ours() -> float:
        with start_sandbox(options) as sandbox:
            figure = _deliver(ground, sandbox.sandbox, sequence, count)
        ground.claimed_twice.append(_sent_twice(sandbox.sandbox))
        return figure

    def theirs() -> float:
        with start_sandbox(options) as sandbox:
            return _bare(sandbox.sandbox, channel, count)

    options = SandboxOptions(data_dir=ground.folder / measure, fresh_ledger=True)
    mine, bare = by_turns(ours, theirs)
    detail = f"{mine:,.0f} a second against {bare:,.0f}"
    return Result(measure, mine / bare, "ratio", Asked(">=", 0.5), detail)


def _deliver(ground: Ground, sandbox: Sandbox, sequence: str, count: int) -> float:
    ground.empty()
    with worker_processes(ground, in_flight=CONNECTIONS, settings=with_sandbox(ground.settings, sandbox)):
        enrolled = ground.enroll(ground.sequence(sequence), ground.contacts(count))
        ground.settle_statistics()
        ground.wakeups.schedule(enrolled.first)
        wait_until_settled(ground)
    return settled_a_second(ground)


def _sent_twice(sandbox: Sandbox) -> int:
    """Messages that the provider took more than once: each contact is sent one."""
    accepted = Counter(entry.to for entry in read_ledger(sandbox.ledger))
    return sum(times - 1 for times in accepted.values())


def _bare(sandbox: Sandbox, channel: str, count: int) -> float:
    """Messages a second of as many processes and connections as the workers have, doing nothing else."""
    where = sandbox.http_url if channel == "sms" else f"{sandbox.smtp_host}:{sandbox.smtp_port}"
    command = ["deploy.bench.bare", channel, where, str(count // PROCESSES), str(CONNECTIONS // PROCESSES)]
    credentials = {"CADENZA_BENCH_ACCOUNT": sandbox.account_sid, "CADENZA_BENCH_TOKEN": sandbox.auth_token}
    with children([command] * PROCESSES, credentials) as processes:
        hear(processes, "ready")
        started = time.perf_counter()
        tell(processes)
        hear(processes, "done")
        return count / (time.perf_counter() - started)
