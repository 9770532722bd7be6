"""What a worker process takes when there is nothing to do."""

import time
from typing import Final

from deploy.bench.cpu import Meter, of_servers
from deploy.bench.drain import wait_until_settled
from deploy.bench.ground import Ground
from deploy.bench.measure import Asked, Result
from deploy.bench.sequences import ONE_SMS, ONE_SMS_LATER
from deploy.bench.workers import IN_FLIGHT, PROCESSES, worker_processes

#: Enrollments that wait meanwhile, and messages that went out before.
WAITING: Final = 10_000
BEFORE: Final = 500

#: Real seconds from the last message to the look, and of the look.
QUIET: Final = 5.0
SECONDS: Final = 20.0


def idle_cpu_percent(ground: Ground) -> Result:
    """Workers with the settings that they come with, some time after their last message."""
    ground.empty()
    contacts = ground.contacts(ground.count(WAITING) + BEFORE)
    later = ground.enroll(ground.sequence(ONE_SMS_LATER), contacts[BEFORE:])
    sweep_seconds = type(ground.settings).model_fields["sweep_seconds"].default
    with worker_processes(ground, in_flight=IN_FLIGHT, provider_seconds=0, sweep_seconds=sweep_seconds) as workers:
        ground.wakeups.schedule(later.first)
        ground.wakeups.schedule(ground.enroll(ground.sequence(ONE_SMS), contacts[:BEFORE]).first)
        wait_until_settled(ground)
        ground.settle_statistics()
        time.sleep(QUIET)
        meter, started = Meter(workers=workers, **of_servers(ground)), time.monotonic()
        time.sleep(SECONDS)
        used = meter.milliseconds(10 * (time.monotonic() - started))  # per 10 ms of a second: percent of a core
    detail = f"of a core, over {SECONDS:g} s; Postgres {used['postgres']:.2f}%, Redis {used['redis']:.2f}%"
    return Result("idle_cpu_percent", used["workers"] / PROCESSES, "%", Asked("<=", 0.5), detail)
