"""What comes back: status callbacks at `cadenza api`, and a STOP in the storm of them."""

import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from deploy.bench.callback_load import Plan, Seen
from deploy.bench.children import BrokenChild, children, hear, tell
from deploy.bench.cpu import Meter, of_servers
from deploy.bench.drain import wait_until_settled
from deploy.bench.ground import Ground
from deploy.bench.measure import Asked, Result, percentile
from deploy.bench.sequences import TWO_STEPS
from deploy.bench.signed import ACCOUNT, AUTH_TOKEN, OURS
from deploy.bench.workers import IN_FLIGHT, worker_processes
from engine.rules.token import status_callback_url
from engine.settings import Settings
from workers.supervisor import environment_of

#: What Twilio tells of a message that arrives.
STATUSES: Final = ("sent", "delivered")

#: Where Twilio is told to call; the API listens elsewhere, as behind a proxy.
PUBLIC_URL: Final = "https://hooks.example.com"

#: Callbacks that are under way at the same time; in a storm more have come than are answered. Two storms in a row
#: stay below the API's limit of 1,000 connections: it may still hold those of the first when the second begins.
CONNECTIONS: Final = 100
IN_A_STORM: Final = 450

#: Real seconds of each window, and how many windows there are of each kind: quiet ones, and storms with STOPs.
SECONDS: Final = 6.0
WINDOWS: Final = 3
STOPS_A_SECOND: Final = 20.0

#: More than are taken in any window; they take some time to be sent first.
MESSAGES: Final = 40_000

#: A name of its own for each message: the stand-in's processes count on their own.
NAMED: Final = """
WITH named AS (
    UPDATE outbox SET provider_id = 'SM' || lpad(to_hex(id), 32, '0') WHERE status = 'sent'
    RETURNING id, enrollment_id, fence, provider_id
), attempted AS (
    UPDATE attempt_records a SET provider_id = named.provider_id FROM named WHERE a.outbox_id = named.id
    RETURNING a.outbox_id, a.fence, named.provider_id, named.enrollment_id
)
SELECT attempted.outbox_id, attempted.fence, attempted.provider_id, c.phone
FROM attempted JOIN enrollments e ON e.id = attempted.enrollment_id JOIN contacts c ON c.id = e.contact_id
ORDER BY attempted.outbox_id
"""
WORKSPACE: Final = "SELECT public_id, webhook_secret FROM workspaces WHERE key = 'default'"
TAKEN: Final = """
SELECT (SELECT count(*) FROM events WHERE kind = 'status'),
    (SELECT count(*) FROM suppressions WHERE reason = 'stop')
"""


def callbacks(ground: Ground) -> list[Result]:
    """As many callbacks as the API takes, over connections that are kept; then the same with STOPs among them."""
    requests, stops = _sent(ground)
    windows = _shares(requests, 2 * WINDOWS)
    with _api(ground) as (api, where):
        quiet = [_window(ground, api, where, part, []) for part in windows[:WINDOWS]]
        storms = [
            _window(ground, api, where, part, few)
            for part, few in zip(windows[WINDOWS:], _shares(stops, WINDOWS), strict=True)
        ]
    _check(ground, [seen for seen, _ in quiet + storms])
    rates = [seen.answered / seen.seconds for seen, _ in quiet]
    costs = [cpu["api"] for _, cpu in quiet]
    load = median(1_000 * seen.cpu / seen.answered for seen, _ in quiet)
    busy = median(100 * seen.cpu / seen.seconds for seen, _ in quiet)
    postgres = median(cpu["postgres"] for _, cpu in quiet)
    late = [seconds for seen, _ in storms for seconds in seen.stops]
    storm = median(seen.answered / seen.seconds for seen, _ in storms)
    return [
        Result(
            "callbacks_per_second", median(rates), "a second", Asked(">=", 2_000),
            f"{CONNECTIONS} connections; the load took {load:.2f} ms each, {busy:.0f}% of a core",
        ),
        Result("callback_cpu_ms", median(costs), "ms", Asked("<=", 0.3), f"API; Postgres {postgres:.2f} ms"),
        Result(
            "stop_p99_ms", 1_000 * percentile(late, 0.99), "ms", Asked("<=", 500),
            f"{len(late)} STOPs, the middle {1_000 * median(late):.0f} ms, among {storm:,.0f} callbacks a second,"
            f" {IN_A_STORM} under way",
        ),
    ]  # fmt: skip


def _sent(ground: Ground) -> tuple[list[list[str]], list[list[str]]]:
    """Send messages, and return what Twilio will tell of them, and who will say STOP: those with a second step."""
    ground.empty()
    contacts = ground.contacts(ground.count(MESSAGES))
    with worker_processes(ground, in_flight=IN_FLIGHT, provider_seconds=0):
        enrolled = ground.enroll(ground.sequence(TWO_STEPS), contacts)
        ground.settle_statistics()
        ground.wakeups.schedule(enrolled.first)
        wait_until_settled(ground)
    with ground.database.transaction() as session:
        messages = session.execute(NAMED).fetchall()
        workspace = session.execute(WORKSPACE).fetchone()
    if workspace is None or len(messages) != len(contacts):
        raise BrokenChild(f"{len(messages)} of {len(contacts)} messages were sent")
    ground.settle_statistics()
    public_id, secret = workspace
    requests = [
        [_path(status_callback_url(PUBLIC_URL, public_id, secret, row, fence)), sid, status, phone]
        for row, fence, sid, phone in messages
        for status in STATUSES
    ]
    inbound = f"/webhooks/twilio/{public_id}/inbound"
    count = round(WINDOWS * SECONDS * STOPS_A_SECOND)
    return requests, [[inbound, f"SM{number:032x}", phone] for number, (*_, phone) in enumerate(messages[-count:])]


def _window(
    ground: Ground, api: int, where: str, requests: Sequence[list[str]], stops: Sequence[list[str]]
) -> tuple[Seen, dict[str, float]]:
    """Load the API for a while; give what was seen, and its CPU for each callback."""
    address = urlsplit(where)
    plan = Plan(
        host=address.hostname or "",
        port=address.port or 0,
        public_url=PUBLIC_URL,
        connections=IN_A_STORM if stops else CONNECTIONS,
        seconds=SECONDS / 3 if ground.quick else SECONDS,
        stops_a_second=STOPS_A_SECOND if stops else 0.0,
    )
    path = _write(ground.folder / "callbacks.ndjson", plan, requests, stops)
    with children([["deploy.bench.callback_load", str(path)]], {}) as processes:
        hear(processes, "ready")
        meter = Meter(api=[api], **of_servers(ground))
        tell(processes)
        seen = _heard(processes[0])
    if seen.refused or not seen.answered:
        raise BrokenChild(f"the API refused callbacks: {seen.refused}")
    return seen, meter.milliseconds(seen.answered)


def _check(ground: Ground, seen: Sequence[Seen]) -> None:
    """Make sure that what was answered is there.

    Raises:
        BrokenChild: it is not.
    """
    with ground.database.transaction() as session:
        taken = session.execute(TAKEN).fetchone()
    told = (sum(one.answered for one in seen), sum(len(one.stops) for one in seen))
    if taken != told:
        raise BrokenChild(f"{told} callbacks and STOPs were answered, and {taken} were taken")


@contextmanager
def _api(ground: Ground) -> Iterator[tuple[int, str]]:
    """Run `cadenza api`; give its process and where it listens."""
    settings: Settings = ground.settings.model_copy(
        update={
            "twilio_account_sid": ACCOUNT,
            "twilio_auth_token": SecretStr(AUTH_TOKEN),
            "twilio_from": OURS,
            "public_url": PUBLIC_URL,
            "log_level": "warning",
            "api_port": 0,
        }
    )
    with children([["deploy.cli", "api"]], environment_of(settings)) as (process,):
        line = "" if process.stdout is None else process.stdout.readline().decode()
        found = re.search(r"http://\S+", line)
        if found is None:
            raise BrokenChild(f"`cadenza api` did not say where it listens: {line!r}")
        yield process.pid, found[0]


def _heard(process: "subprocess.Popen[bytes]") -> Seen:
    line = b"" if process.stdout is None else process.stdout.readline()
    if not line:
        raise BrokenChild("the load ended before it had told what it saw")
    return Seen(**json.loads(line))


def _write(path: Path, plan: Plan, requests: Sequence[list[str]], stops: Sequence[list[str]]) -> Path:
    """Write a plan as the load reads it."""
    lines: list[Any] = [asdict(plan)]
    lines += [["status", request] for request in requests]
    lines += [["stop", stop] for stop in stops]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def _shares(items: Sequence[list[str]], parts: int) -> list[Sequence[list[str]]]:
    """Cut into equal parts."""
    cuts = [round(part * len(items) / parts) for part in range(parts + 1)]
    return [items[first:last] for first, last in pairwise(cuts)]


def _path(url: str) -> str:
    return url.removeprefix(PUBLIC_URL)
