"""Real channels over real sockets to the sandbox, against bare loops of the same clients."""

import time
from collections.abc import Callable
from statistics import median
from typing import Final

from deploy.bench.children import children, wait_until
from deploy.bench.ground import Ground
from deploy.bench.measure import REPEATS, Asked, Result
from deploy.bench.workers import PROCESSES, worker_processes
from deploy.sandbox.options import SandboxOptions
from deploy.sandbox.process import start_sandbox
from deploy.sandbox.settings import with_sandbox
from deploy.sandbox.state import Sandbox

#: Connections of each process, on both sides.
CONNECTIONS: Final = 8

ONE_SMS: Final = """
sequence: sms
name: SMS
steps:
  - key: only
    type: sms
    body: "Hi {{ contact.first_name | default: 'there' }}, thanks for your interest in our {{ custom.plan }} plan."
"""

ONE_EMAIL: Final = """
sequence: email
name: Email
steps:
  - key: only
    type: email
    subject: "Thanks, {{ contact.first_name | default: 'there' }}"
    text: "Hi {{ contact.first_name }}, thanks for your interest in our {{ custom.plan }} plan in {{ custom.city }}."
    html: "<p>Hi {{ contact.first_name }}, thanks for your interest in our {{ custom.plan }} plan.</p>"
"""


def sms_vs_bare_http(ground: Ground) -> Result:
    """SMS from due to settled, against a loop that only posts."""
    return _against_bare(ground, "sms", ONE_SMS, "sms_vs_bare_http")


def email_vs_bare_smtp(ground: Ground) -> Result:
    """Email from due to settled, against a loop of pooled smtplib connections with prebuilt bytes."""
    return _against_bare(ground, "email", ONE_EMAIL, "email_vs_bare_smtp")


def _against_bare(ground: Ground, channel: str, sequence: str, measure: str) -> Result:
    count = ground.count(8_000)
    options = SandboxOptions(data_dir=ground.folder / measure, fresh_ledger=True)
    with start_sandbox(options) as sandbox:
        settings = with_sandbox(ground.settings, sandbox.sandbox).model_copy(update={"in_flight": CONNECTIONS})
        bare: list[float] = []
        ours: list[float] = []
        for _ in range(REPEATS):
            bare.append(_bare(sandbox.sandbox, channel, count))
            with worker_processes(ground, settings):
                ours.append(_deliver(ground, sequence, count))
        sent = sandbox.client.counts()[channel]["accepted"]  # type: ignore[index]
    if sent != 2 * REPEATS * count:
        raise ValueError(f"{measure}: the sandbox accepted {sent} messages, not {2 * REPEATS * count}")
    mine, theirs = median(ours), median(bare)
    detail = f"{mine:,.0f} a second against {theirs:,.0f}"
    return Result(measure, mine / theirs, "ratio", Asked(">=", 0.5), detail)


def _deliver(ground: Ground, sequence: str, count: int) -> float:
    ground.empty()
    enrolled = ground.enroll(ground.sequence(sequence), ground.contacts(count))
    ground.settle_statistics()
    return _timed(ground, count, lambda: ground.wakeups.schedule(enrolled.first))


def _timed(ground: Ground, count: int, begin: Callable[[], object]) -> float:
    started = time.perf_counter()
    begin()
    wait_until("all messages are sent", lambda: _sent(ground) >= count, pause=0.02)
    return count / (time.perf_counter() - started)


def _sent(ground: Ground) -> int:
    with ground.database.transaction() as session:
        row = session.execute("SELECT count(*) FROM outbox WHERE status = 'sent'").fetchone()
    return int(row[0]) if row else 0


def _bare(sandbox: Sandbox, channel: str, count: int) -> float:
    """Messages a second of as many processes and connections as the workers have, doing nothing else."""
    where = sandbox.http_url if channel == "sms" else f"{sandbox.smtp_host}:{sandbox.smtp_port}"
    command = ["deploy.bench.bare", channel, where, str(count // PROCESSES), str(CONNECTIONS)]
    credentials = {"CADENZA_BENCH_ACCOUNT": sandbox.account_sid, "CADENZA_BENCH_TOKEN": sandbox.auth_token}
    with children([command] * PROCESSES, credentials) as processes:
        pipes = [(child.stdin, child.stdout) for child in processes]
        for _, answers in pipes:
            if answers is None or answers.readline() != b"ready\n":
                raise RuntimeError("a bare loop did not start")
        started = time.perf_counter()
        for orders, _ in pipes:
            if orders is not None:
                orders.write(b"go\n")
                orders.flush()
        for _, answers in pipes:
            if answers is None or answers.readline() != b"done\n":
                raise RuntimeError("a bare loop did not end")
        return count / (time.perf_counter() - started)
