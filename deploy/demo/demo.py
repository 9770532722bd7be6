"""The demo: from two sequence files and a list of contacts to messages, each sent once, and the proof of it."""

import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import redis

from deploy.audit import audit
from deploy.cli.database import bring_up
from deploy.cli.session import required
from deploy.demo.enrolled import Enrolled
from deploy.demo.figures import read_figures
from deploy.demo.ground import Ground, own_ground
from deploy.demo.interruption import leave_in_peace
from deploy.demo.place import Place, own_place, shown
from deploy.demo.progress import Progress
from deploy.demo.report import Outcome
from deploy.demo.state import State, read_state
from deploy.demo.workers import running_workers
from deploy.local.servers import local_servers
from deploy.sandbox.options import SandboxOptions
from deploy.sandbox.process import start_sandbox
from deploy.sandbox.settings import with_sandbox
from engine import clock
from engine.database import Database
from engine.errors import InvalidInput, Unavailable
from engine.settings import Settings
from engine.wakeups import Wakeups
from producers.bulk.records import Reject
from producers.bulk.run import run_bulk
from producers.sequences import publish, read_definition_file
from schema.definition import Definition

EXAMPLES: Final = Path(__file__).parents[1] / "examples"
SEQUENCES: Final = (EXAMPLES / "sms-follow-up.yaml", EXAMPLES / "email-and-sms.yaml")
CONTACTS: Final = EXAMPLES / "contacts.csv"

PROCESSES: Final = 2
THREADS: Final = 4
SWEEP_SECONDS: Final = 2.0

#: Real seconds until the demo is given up, between two looks, for the workers to connect, and for all processes to
#: notice that the clock has been moved.
PATIENCE: Final = 100.0
LOOK: Final = 0.25
CONNECT_SECONDS: Final = 30.0
NOTICE_SECONDS: Final = 1.0

CONNECTED: Final = """
SELECT count(*) FROM pg_stat_activity WHERE application_name = 'cadenza worker' AND datname = current_database()
"""


@dataclass(frozen=True, slots=True)
class Options:
    """What may be asked of it."""

    rate: float = 86_400
    """Sequence seconds in a real second."""
    flush_redis: bool = False
    """Empty Redis when a third has been sent."""


@dataclass(frozen=True, slots=True)
class _Scene:
    """What a running demo works with."""

    options: Options
    settings: Settings
    database: Database
    wakeups: Wakeups
    ground: Ground
    place: Place
    progress: Progress


def run_demo(given: Settings, options: Options, progress: Progress) -> Outcome:
    """Run it from an empty folder to the audit; nothing is left running, whatever happens.

    Raises:
        CadenzaError: it could not be run, or not to the end.
    """
    _refuse(given, options)
    with ExitStack() as stack:
        place = stack.enter_context(own_place(given.data_dir.expanduser().absolute()))
        progress.say("starting Postgres and Valkey")
        settings = stack.enter_context(local_servers(_own_settings(given, place)))
        database = Database(required(settings.database_url), name="cadenza demo")
        stack.callback(database.close)
        wakeups = Wakeups(required(settings.redis_url))
        stack.callback(wakeups.close)
        database.check()
        progress.say("making the tables")
        bring_up(database)
        ground = stack.enter_context(own_ground(database, keep=given.database_url is None))
        progress.say("starting the sandbox providers and two worker processes")
        sandbox = stack.enter_context(start_sandbox(SandboxOptions(data_dir=place.path, ledger=place.ledger))).sandbox
        settings = with_sandbox(settings, sandbox)
        scene = _Scene(options, settings, database, wakeups, ground, place, progress)
        try:
            return _play(scene)
        finally:
            leave_in_peace()
            progress.say("putting everything away")


def _play(scene: _Scene) -> Outcome:
    with running_workers(scene.settings, scene.place.workers_log, processes=PROCESSES, threads=THREADS) as workers:
        definitions = _publish(scene)
        _wait_until_connected(scene, workers)
        with scene.database.transaction() as session:
            clock.set_rate(session, scene.options.rate)
        time.sleep(NOTICE_SECONDS)
        began = time.monotonic()
        begun = read_state(scene.database, scene.ground.workspace_id).now
        enrolled = [_enroll(scene, definition) for definition in definitions]
        names = {definition.sequence: definition.name for definition in definitions}
        with scene.progress.watching(begun):
            state = _watch(scene, workers, names)
        seconds = time.monotonic() - began
        scene.progress.say("ending the workers, then the audit")
    return Outcome(
        enrolled=enrolled,
        figures=read_figures(scene.database, scene.ground.workspace_id),
        audit=audit(scene.database, scene.place.ledger, workspace_id=scene.ground.workspace_id),
        seconds=seconds,
        finished=state.open_enrollments == 0,
        ledger=scene.place.ledger,
        workers_log=scene.place.workers_log,
    )


def _refuse(given: Settings, options: Options) -> None:
    if given.environment == "production":
        raise InvalidInput("the demo moves the sequence clock: not where CADENZA_ENVIRONMENT is production")
    if not 0 < options.rate <= clock.MAX_RATE:
        raise InvalidInput(f"--rate is the sequence seconds in a real second: above 0, at most {clock.MAX_RATE}")
    if options.flush_redis and given.redis_url is not None:
        raise InvalidInput("--flush-redis would empty the Redis of CADENZA_REDIS_URL: unset that, and try again")


def _own_settings(given: Settings, place: Place) -> Settings:
    """Nothing of the given settings but the servers: no message of a demo reaches a real provider."""
    defaults = {name: field.get_default() for name, field in Settings.model_fields.items()}
    return given.model_copy(
        update={
            **defaults,
            "database_url": given.database_url,
            "redis_url": given.redis_url,
            "data_dir": place.path,
            "sweep_seconds": SWEEP_SECONDS,
            "metrics_port": 0,
        }
    )


def _publish(scene: _Scene) -> Sequence[Definition]:
    definitions = [read_definition_file(path) for path in SEQUENCES]
    with scene.database.transaction() as session:
        for definition in definitions:
            publish(session, scene.ground.workspace_id, definition)
    return definitions


def _wait_until_connected(scene: _Scene, workers: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + CONNECT_SECONDS
    while time.monotonic() < deadline:
        _require_running(scene, workers)
        with scene.database.transaction() as session:
            row = session.execute(CONNECTED).fetchone()
        if row is not None and row[0] >= PROCESSES:
            return
        time.sleep(LOOK)
    raise Unavailable(
        f"the workers did not connect within {CONNECT_SECONDS:.0f} s: see {shown(scene.place.workers_log)}"
    )


def _require_running(scene: _Scene, workers: "subprocess.Popen[bytes]") -> None:
    if workers.poll() is not None:
        raise Unavailable(f"the workers ended by themselves: see {shown(scene.place.workers_log)}")


def _enroll(scene: _Scene, definition: Definition) -> Enrolled:
    """Enroll the file as `cadenza enroll` does."""
    rejects: list[Reject] = []
    report = run_bulk(
        scene.database,
        scene.wakeups,
        scene.ground.workspace,
        definition.sequence,
        str(CONTACTS),
        rejects_path=str(scene.place.rejects(definition.sequence)),
        progress=lambda told: rejects.extend(told.rejects),
    )
    scene.progress.say(
        f"{definition.name}: {report.records:,} lines, {report.enrolled:,} contacts enrolled,"
        f" {report.repeats:,} repeats, {report.rejected:,} rejected"
    )
    return Enrolled(definition, report, rejects)


def _watch(scene: _Scene, workers: "subprocess.Popen[bytes]", names: dict[str, str]) -> State:
    """Look on until every enrollment has ended, or for as long as that may take."""
    deadline = time.monotonic() + PATIENCE
    to_flush = scene.options.flush_redis
    while True:
        state = read_state(scene.database, scene.ground.workspace_id)
        scene.progress.show(state, names)
        if state.open_enrollments == 0 or time.monotonic() > deadline:
            return state
        if to_flush and state.sent >= state.total // 3:
            _flush(scene)
            to_flush = False
        _require_running(scene, workers)
        time.sleep(LOOK)


def _flush(scene: _Scene) -> None:
    with redis.Redis.from_url(required(scene.settings.redis_url)) as client:
        client.flushall()
    scene.progress.say("FLUSHALL: Redis has forgotten everything")
