"""Real channels over real sockets to the sandbox: ours, the peer, and bare loops that only send, by turns."""

import time
from typing import Final

from deploy.bench.children import children, hear, tell
from deploy.bench.delivering import CONNECTIONS, deliver
from deploy.bench.ground import Ground
from deploy.bench.measure import REPEATS, Asked, Result, medians
from deploy.bench.peer.side import THREADS, Channel, deliver_as_peer
from deploy.bench.sequences import ONE_EMAIL, ONE_SMS
from deploy.bench.workers import PROCESSES
from deploy.sandbox.options import SandboxOptions
from deploy.sandbox.process import start_sandbox
from deploy.sandbox.state import Sandbox

MESSAGES: Final = 4_000

#: The peer is slower: fewer are enough to see how much.
MESSAGES_OF_PEER: Final = 1_000

#: Milliseconds of the workers for each message.
ASKED: Final[dict[Channel, float]] = {"sms": 0.45, "email": 0.6}


def sms(ground: Ground) -> list[Result]:
    """SMS from due to settled, against the peer and a loop that only posts."""
    ours, peer, bare = _by_turns(ground, "sms", ONE_SMS)
    return _results("sms", ours, peer, bare, "sms_vs_bare_http", "postgres_cpu_ms_per_message")


def email(ground: Ground) -> list[Result]:
    """Email from due to settled, against the peer and a loop of pooled smtplib connections with prebuilt bytes."""
    ours, peer, bare = _by_turns(ground, "email", ONE_EMAIL)
    return _results("email", ours, peer, bare, "email_vs_bare_smtp", "postgres_cpu_ms_per_email")


def _by_turns(
    ground: Ground, channel: Channel, sequence: str
) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """Run the three sides by turns, and give the medians of each."""
    ours, peer, bare = [], [], []
    for _ in range(REPEATS):
        ours.append(deliver(ground, sequence, ground.count(MESSAGES)).figures())
        peer.append(deliver_as_peer(ground, channel, ground.count(MESSAGES_OF_PEER)).figures())
        bare.append({"per_second": _bare(ground, channel, ground.count(MESSAGES))})
    return medians(ours), medians(peer), medians(bare)


def _results(
    channel: Channel,
    ours: dict[str, float],
    peer: dict[str, float],
    bare: dict[str, float],
    against_bare: str,
    of_postgres: str,
) -> list[Result]:
    rate, peers, bares = (side["per_second"] for side in (ours, peer, bare))
    threads = f"the peer with {PROCESSES} x {THREADS[channel]} threads"
    cpu = f"{ours['workers']:.2f} ms against {peer['workers']:.2f}, {threads}"
    beside = f"Redis {ours['redis']:.2f} ms; with the peer {peer['postgres']:.2f} and {peer['redis']:.2f}"
    core = ours["sandbox"] * rate / 10  # milliseconds a second: percent of a core
    provider = f"{rate:,.0f} a second; the sandbox {ours['sandbox']:.2f} ms each, {core:.0f}% of its core"
    return [
        Result(against_bare, rate / bares, "ratio", Asked(">=", 0.5), f"{rate:,.0f} a second against {bares:,.0f}"),
        Result(
            f"{channel}_vs_peer", rate / peers, "ratio", Asked(">=", 5),
            f"{rate:,.0f} a second against {peers:,.0f}, {threads}",
        ),
        Result(f"{channel}_cpu_vs_peer", ours["workers"] / peer["workers"], "ratio", Asked("<=", 0.2), cpu),
        Result(
            f"{channel}_cpu_ms", ours["workers"], "ms", Asked("<=", ASKED[channel]), provider
        ),
        Result(of_postgres, ours["postgres"], "ms", Asked("<=", 0.2), beside),
    ]  # fmt: skip


def _bare(ground: Ground, channel: Channel, count: int) -> float:
    """Messages a second of as many processes and connections as the workers have, doing nothing else."""
    with start_sandbox(SandboxOptions(data_dir=ground.folder / "sandbox", fresh_ledger=True)) as process:
        return _send_bare(process.sandbox, channel, count)


def _send_bare(sandbox: Sandbox, channel: Channel, count: int) -> float:
    where = sandbox.http_url if channel == "sms" else f"{sandbox.smtp_host}:{sandbox.smtp_port}"
    command = ["deploy.bench.bare", channel, where, str(count // PROCESSES), str(CONNECTIONS // PROCESSES)]
    credentials = {"CADENZA_BENCH_ACCOUNT": sandbox.account_sid, "CADENZA_BENCH_TOKEN": sandbox.auth_token}
    with children([command] * PROCESSES, credentials) as processes:
        hear(processes, "ready")
        started = time.perf_counter()
        tell(processes)
        hear(processes, "done")
        return count / (time.perf_counter() - started)
