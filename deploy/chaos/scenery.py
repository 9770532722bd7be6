"""What a storm rages over: a prepared database, supervisors with their worker processes, and the API."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from itertools import count
from typing import Any, Final

from deploy.chaos.children import Command, Workers
from deploy.chaos.history import keep_history
from deploy.chaos.people import HOUR, SEQUENCES, WORKSPACES
from deploy.chaos.service import Machine, Service
from deploy.chaos.stage import Stage
from deploy.cli.database import bring_up
from engine import clock
from engine.database import Database
from engine.errors import Unavailable
from producers.sequences import publish
from producers.workspaces import add, list_workspaces
from schema.definition import parse

#: Supervisors, as if each were on a machine of its own.
MACHINES: Final = 2

#: Leases, tries and look-ups take seconds. A stop of a process (faults.LONGEST_STOP) and a slow provider
#: (faults.SLOW_SECONDS) stay well within the grace time. Real seconds.
TEMPO: Final[Mapping[str, Any]] = {
    "lease_seconds": 2.0,
    "sweep_seconds": 0.5,
    "retry_seconds": 0.02,
    "reconcile_grace_seconds": 4.0,
    "reconcile_interval_seconds": 1.0,
}

#: So many answers "not now" before a row fails: more than a storm gives.
MAX_TRIES: Final = 20

#: Real seconds for everything to be there, and between two looks.
READY: Final = 90.0
LOOK: Final = 0.1


def prepare(database: Database, seconds: float) -> Mapping[str, str]:
    """Make tables, workspaces and sequences, and speed the clock up; give the workspaces' public ids by their keys."""
    bring_up(database)
    keep_history(database)
    with database.transaction() as session:
        for key, guarantee in WORKSPACES.items():
            if key != "default":
                add(session, key)
            session.execute(
                "UPDATE workspaces SET smtp_guarantee = %s, max_tries = %s, quiet_hours = 'off' WHERE key = %s",
                (guarantee, MAX_TRIES, key),
            )
        found = list_workspaces(session)
        for workspace in found:
            for text in SEQUENCES.values():
                publish(session, workspace.id, parse(text))
        clock.set_rate(session, 3_600 / (HOUR * seconds))
    return {workspace.key: workspace.public_id for workspace in found}


def start(stage: Stage, stack: ExitStack, processes: int) -> tuple[Sequence[Machine], Service[Command]]:
    """Start everything of Cadenza, and wait until all of it is there."""
    api = Service("api", stage.api)
    stack.callback(api.stop)
    machines: list[Machine] = []
    for number in range(1, MACHINES + 1):
        machines.append(Machine(f"machine {number}", _workers(stage, number, processes)))
        stack.callback(machines[-1].stop)
    deadline = time.monotonic() + READY
    while not (api.running and all(machine.processes() for machine in machines)):
        if time.monotonic() > deadline:
            raise Unavailable(f"not everything was there within {READY:.0f} seconds: see {stage.folder}")
        time.sleep(LOOK)
    return machines, api


def _workers(stage: Stage, machine: int, processes: int) -> Callable[[], Workers]:
    numbers = count(1)

    def start() -> Workers:
        log = stage.folder / f"machine-{machine}-{next(numbers)}.log"
        environment = {**stage.environment(), "TMPDIR": str(stage.folder)}  # who is killed leaves things there
        return Workers(environment, log, processes=processes)

    return start
