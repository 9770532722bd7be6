"""A storm: people are enrolled while everything fails that can; then quiet, then the audit."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from pathlib import Path
from typing import Final

import psycopg

from deploy.chaos.crowd import Crowd
from deploy.chaos.faults import Fault, plan_faults
from deploy.chaos.history import read_waits
from deploy.chaos.outcome import Ends, Options, Outcome
from deploy.chaos.people import Person, plan_people
from deploy.chaos.probe import probe
from deploy.chaos.recovery import recovery, recovery_by_kind
from deploy.chaos.scenery import LOOK, MACHINES, TEMPO, prepare, start
from deploy.chaos.servers import own_folder, own_servers
from deploy.chaos.stage import Stage, open_stage
from deploy.chaos.story import tell_story
from deploy.chaos.strikes import Strikes
from deploy.chaos.verdict import Heard, reach_verdict
from engine.database import Database
from engine.errors import Unavailable
from schema.states import BLOCKING, sql_list

#: Real seconds until a row is given up that does not settle: the longest back-off, and what comes after it.
PATIENCE: Final = 1_020.0

#: Real seconds between two lines of progress.
LINE: Final = 5.0

#: Of so many rows that a promise did not hold of, the story is told.
STORIES: Final = 10

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
        workspaces = prepare(stage.database, options.seconds)
        say(f"starting the API and {MACHINES} supervisors with {options.processes} worker processes each")
        machines, api = start(stage, stack, options.processes)
        strikes = Strikes(stage, servers, machines, api)
        stack.callback(stage.calm)
        stack.callback(strikes.end_all)
        faults = plan_faults(options.seed, options.seconds)
        with Crowd(stage, scene.people, workspaces) as crowd:
            _rage(scene, strikes, faults, crowd)
            quiet = _quiet(scene, strikes, crowd)
        scene.say("does every worker process still work?")
        probed = probe(stage, machines, MACHINES * options.processes)
        for machine in machines:
            machine.stop()
        api.stop()
        starts = api.starts + sum(machine.starts for machine in machines)
        obeyed = sum(count for status, count in crowd.forged.items() if status < 300)
        heard = Heard([*scene.people, *probed.people], crowd.stopped, obeyed, probed.idle)
        return _look_back(scene, faults, strikes, crowd, heard, Ends(starts, quiet))


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


def _look_back(
    scene: _Scene, faults: Sequence[Fault], strikes: Strikes, crowd: Crowd, heard: Heard, ends: Ends
) -> Outcome:
    """The audit, and all else that can be told."""
    scene.say("nothing moves any more: the audit")
    database = Database(scene.stage.database_url, name="cadenza chaos verdict")
    ledger = scene.stage.sandbox.sandbox.ledger
    try:
        verdict = reach_verdict(database, ledger, heard)
        waits = read_waits(database)
        stories = [tell_story(database, ledger, row) for row in verdict.rows[:STORIES]]
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
