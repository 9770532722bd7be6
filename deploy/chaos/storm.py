"""A storm: people are enrolled while everything fails that can; then quiet, then the audit."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from pathlib import Path
from typing import Any, Final

import psycopg

from deploy.chaos.children import Command, Workers
from deploy.chaos.crowd import Crowd
from deploy.chaos.faults import Fault, plan_faults
from deploy.chaos.history import keep_history, read_waits
from deploy.chaos.outcome import Ends, Options, Outcome
from deploy.chaos.people import HOUR, SEQUENCES, WORKSPACES, Person, plan_people
from deploy.chaos.recovery import recovery, recovery_by_kind
from deploy.chaos.servers import own_folder, own_servers
from deploy.chaos.service import Machine, Service
from deploy.chaos.stage import Stage, open_stage
from deploy.chaos.story import tell_story
from deploy.chaos.strikes import Strikes
from deploy.chaos.verdict import reach_verdict
from deploy.cli.database import bring_up
from engine import clock
from engine.database import Database
from engine.errors import Unavailable
from producers.sequences import publish
from producers.workspaces import add, list_workspaces
from schema.definition import parse
from schema.states import BLOCKING, sql_list

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

#: Real seconds until a row is given up that does not settle: the longest back-off, and what comes after it.
PATIENCE: Final = 1_020.0

#: Real seconds between two looks, between two lines of progress, and for services to be there.
LOOK: Final = 0.1
LINE: Final = 5.0
READY: Final = 90.0

#: Of so many rows that a promise did not hold of, the story is told.
STORIES: Final = 10

#: So many answers "not now" before a row fails: more than a storm gives.
MAX_TRIES: Final = 20

MOVING: Final = f"""
SELECT count(*) FROM outbox WHERE status IN ({sql_list(*BLOCKING)})
"""  # noqa: S608 (constants of ours)


@dataclass(slots=True)
class _Scene:
    """What a storm works with."""

    options: Options
    stage: Stage
    people: Sequence[Person]
    say: Callable[[str], None]
    said_at: float = 0.0

    def now_and_then(self, what: str) -> None:
        """Say how it goes, unless that was said a moment ago."""
        if time.monotonic() - self.said_at >= LINE:
            self.said_at = time.monotonic()
            self.say(what)


def run_storm(options: Options, say: Callable[[str], None], keep: Path | None = None) -> Outcome:
    """Run it from nothing to the verdict, on servers of its own; nothing is left running, whatever happens.

    `keep` is a folder for logs and the ledger. Told to `say` is how it goes.

    Raises:
        CadenzaError: it could not be run.
    """
    with ExitStack() as stack:
        say("starting Postgres, Valkey, the sandbox providers, and proxies before all of them")
        folder = keep or stack.enter_context(own_folder("cadenza-chaos-"))
        servers = stack.enter_context(own_servers(stack.enter_context(own_folder("cadenza-chaos-servers-"))))
        stage = stack.enter_context(open_stage(folder, servers.database_url, servers.redis_url, **TEMPO))
        scene = _Scene(options, stage, plan_people(options.seed, options.rows, options.seconds), say)
        workspaces = _prepare(stage.database, options)
        say(f"starting the API and {MACHINES} supervisors with {options.processes} worker process(es) each")
        machines, api = _start(scene, stack)
        strikes = Strikes(stage, servers, machines, api)
        stack.callback(stage.calm)
        stack.callback(strikes.end_all)
        faults = plan_faults(options.seed, options.seconds)
        with Crowd(stage, scene.people, workspaces) as crowd:
            _rage(scene, strikes, faults, crowd)
            quiet = _quiet(scene, strikes, crowd)
        for machine in machines:
            machine.stop()
        api.stop()
        starts = api.starts + sum(machine.starts for machine in machines)
        return _look_back(scene, faults, strikes, crowd, Ends(starts, quiet))


def _start(scene: _Scene, stack: ExitStack) -> tuple[Sequence[Machine], Service[Command]]:
    """Start everything of Cadenza, and wait until all of it is there."""
    api = Service("api", scene.stage.api)
    stack.callback(api.stop)
    machines: list[Machine] = []
    for number in range(1, MACHINES + 1):
        machines.append(Machine(f"machine {number}", _workers(scene, number)))
        stack.callback(machines[-1].stop)
    deadline = time.monotonic() + READY
    while not (api.running and all(machine.processes() for machine in machines)):
        if time.monotonic() > deadline:
            raise Unavailable(f"not everything was there within {READY:.0f} seconds: see {scene.stage.folder}")
        time.sleep(LOOK)
    return machines, api


def _workers(scene: _Scene, machine: int) -> Callable[[], Workers]:
    numbers = count(1)

    def start() -> Workers:
        log = scene.stage.folder / f"machine-{machine}-{next(numbers)}.log"
        return Workers(scene.stage.environment(), log, processes=scene.options.processes)

    return start


def _prepare(database: Database, options: Options) -> Mapping[str, str]:
    """The tables, the workspaces, the sequences and the clock; give the workspaces' public ids by their keys."""
    bring_up(database)
    keep_history(database)
    with database.transaction() as session:
        for key, guarantee in WORKSPACES.items():
            if key != "default":
                add(session, key)
            session.execute(
                "UPDATE workspaces SET smtp_guarantee = %s, max_tries = %s WHERE key = %s", (guarantee, MAX_TRIES, key)
            )
        found = list_workspaces(session)
        for workspace in found:
            for text in SEQUENCES.values():
                publish(session, workspace.id, parse(text))
        clock.set_rate(session, 3_600 / (HOUR * options.seconds))
    return {workspace.key: workspace.public_id for workspace in found}


def _rage(scene: _Scene, strikes: Strikes, faults: Sequence[Fault], crowd: Crowd) -> None:
    """Let each fault happen and end at its time."""
    scene.say(f"the storm begins: {len(faults)} faults in {scene.options.seconds:.0f} seconds")
    began = time.monotonic()
    number = count()
    agenda: list[tuple[float, int, Callable[[Fault], None], Fault]] = []
    for fault in faults:
        heappush(agenda, (fault.at, next(number), strikes.begin, fault))
        heappush(agenda, (fault.until, next(number), strikes.end, fault))
    while agenda:
        at, _, act, fault = heappop(agenda)
        while (left := began + at - time.monotonic()) > 0:
            passed = time.monotonic() - began
            scene.now_and_then(f"{passed:3.0f} s, {len(strikes.struck)} faults, {crowd.enrolled:,} people enrolled")
            time.sleep(min(left, LOOK))
        act(fault)


def _quiet(scene: _Scene, strikes: Strikes, crowd: Crowd) -> float:
    """End all faults and wait until nothing moves any more; tell how many real seconds that took."""
    scene.say("quiet: no more faults, until nothing moves")
    began = time.monotonic()
    strikes.end_all()
    scene.stage.calm()
    client = scene.stage.sandbox.client
    client.set_callbacks()
    while time.monotonic() < began + PATIENCE:
        moving = _moving(scene.stage.database)
        if crowd.done and moving == 0 and client.callbacks()["waiting"] == 0:
            break
        scene.now_and_then(f"{moving} rows are not settled")
        time.sleep(LOOK)
    return time.monotonic() - began


def _moving(database: Database) -> int | None:
    """How many rows are not settled; None: Postgres is away."""
    try:
        with database.transaction() as session:
            row = session.execute(MOVING).fetchone()
    except (psycopg.OperationalError, Unavailable):
        return None
    return None if row is None else int(row[0])


def _look_back(scene: _Scene, faults: Sequence[Fault], strikes: Strikes, crowd: Crowd, ends: Ends) -> Outcome:
    """The audit, and all else that can be told."""
    scene.say("nothing moves any more: the audit")
    database = Database(scene.stage.database_url, name="cadenza chaos verdict")
    try:
        verdict = reach_verdict(database, scene.stage.sandbox.sandbox.ledger, scene.people, crowd)
        waits = read_waits(database)
        stories = [tell_story(database, scene.stage.sandbox.sandbox.ledger, row) for row in verdict.rows[:STORIES]]
    finally:
        database.close()
    return Outcome(
        options=scene.options,
        planned=len(faults),
        missed=len(strikes.missed),
        people=len(scene.people),
        verdict=verdict,
        recovery=recovery(strikes.struck, waits),
        recovery_by_kind=recovery_by_kind(strikes.struck, waits),
        stories=stories,
        repeats=crowd.repeats,
        stops=len(crowd.stopped),
        forged=crowd.forged.total(),
        ends=ends,
    )
