"""Messages that are due behind many that are not: ours, and dramatiq's own delay as the peer uses it."""

import time
from collections.abc import Callable
from typing import Final

from deploy.bench.children import wait_until
from deploy.bench.delivering import CONNECTIONS
from deploy.bench.ground import Ground
from deploy.bench.measure import Asked, Result
from deploy.bench.peer.side import THREADS, peer_on
from deploy.bench.sequences import ONE_SMS
from deploy.bench.stock_dramatiq import PROCESSES
from deploy.bench.workers import worker_processes
from deploy.sandbox.options import SandboxOptions
from deploy.sandbox.process import start_sandbox
from deploy.sandbox.settings import with_sandbox

#: A process of dramatiq takes a thousand delayed messages for each thread into memory; these are more than both take.
FAR: Final = round(1.25 * 1_000 * THREADS["sms"] * PROCESSES)
FORTNIGHT: Final = 14 * 86_400.0

#: Due a second after them.
NEAR: Final = 100
SOON: Final = 1.0

#: Real seconds that they have to go out.
SECONDS: Final = 20.0

#: As large as rows of ours become, and of no row that there is.
NO_ROW: Final = 10_000_000

SENT: Final = "SELECT count(*) FROM outbox WHERE status = 'sent'"


def ran_behind_far(ground: Ground) -> Result:
    """The share of ours that went out, with the peer's beside it."""
    ours, peers = _ours(ground), _peers(ground)
    detail = f"{ours} of {NEAR} went out within {SECONDS:g} s behind {FAR:,}; of the peer's {peers} did"
    return Result("ran_behind_far", ours / NEAR, "share", Asked("==", 1), detail)


def _ours(ground: Ground) -> int:
    ground.empty()
    with start_sandbox(SandboxOptions(data_dir=ground.folder / "sandbox", fresh_ledger=True)) as process:
        settings = with_sandbox(ground.settings, process.sandbox)
        with worker_processes(ground, in_flight=CONNECTIONS, settings=settings):
            enrolled = ground.enroll(ground.sequence(ONE_SMS), ground.contacts(NEAR))
            ground.wakeups.schedule([(time.time() + FORTNIGHT, range(NO_ROW, NO_ROW + FAR))])
            ground.wakeups.schedule([(time.time() + SOON, enrolled.first_rows())])
            return _ran(lambda: _sent(ground))


def _peers(ground: Ground) -> int:
    ground.empty()
    with start_sandbox(SandboxOptions(data_dir=ground.folder / "sandbox", fresh_ledger=True)) as process:
        contacts = ground.contacts(NEAR)
        with peer_on(ground, process.sandbox, "sms") as peer:
            rows = peer.fill(contacts)
            peer.schedule_far(FAR, time.time() + FORTNIGHT)
            peer.schedule(rows, time.time() + SOON)
            return _ran(lambda: len(peer.sent(rows)))


def _ran(count: Callable[[], int]) -> int:
    """How many went out in time."""
    late = time.monotonic() + SECONDS
    wait_until("they are sent, or late", lambda: count() == NEAR or time.monotonic() > late)
    return count()


def _sent(ground: Ground) -> int:
    with ground.database.transaction() as session:
        row = session.execute(SENT).fetchone()
    return int(row[0]) if row else 0
