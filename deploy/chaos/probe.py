"""The probe after a storm: every worker process that is left still works, alone, without having been started again."""

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from deploy.chaos.people import Person
from deploy.chaos.scenery import LOOK, READY
from deploy.chaos.service import Machine
from deploy.chaos.stage import Stage
from engine.database import Database
from engine.errors import Unavailable
from engine.wakeups import Wakeups
from producers.enroll_event import EnrollEvent, publish
from producers.sequences import publish as publish_sequence
from producers.workspaces import find_workspace
from schema.definition import parse

SEQUENCE: Final = """
sequence: probe
steps: [{key: only, type: sms, body: "Are you there, {{ contact.external_id }}?"}]
"""
WORKSPACE: Final = "default"

#: Real seconds for a process to deliver one message, its own start included.
PATIENCE: Final = 60.0

STATUS: Final = "SELECT status FROM outbox WHERE enrollment_id = %s"


@dataclass(frozen=True, slots=True)
class Probe:
    """What it found."""

    people: Sequence[Person]
    """To whom the messages went: one for each process."""
    idle: Sequence[int]
    """Processes that did not deliver theirs."""


def probe(stage: Stage, machines: Sequence[Machine], processes: int) -> Probe:
    """Let each of so many processes deliver a message while all others are stopped.

    Nothing else moves meanwhile, so that the stops put nothing in doubt.

    Raises:
        Unavailable: so many processes are not there.
    """
    deadline = time.monotonic() + READY
    while (there := sum(len(machine.processes()) for machine in machines)) != processes:
        if time.monotonic() > deadline:
            raise Unavailable(f"{there} worker processes run after the storm, and not {processes}: see {stage.folder}")
        time.sleep(LOOK)
    database = Database(stage.database_url, name="cadenza chaos probe")
    try:
        with database.transaction() as session:
            publish_sequence(session, find_workspace(session, WORKSPACE).id, parse(SEQUENCE))
        return _probe(database, stage.wakeups, machines)
    finally:
        database.close()


def _probe(database: Database, wakeups: Wakeups, machines: Sequence[Machine]) -> Probe:
    people: list[Person] = []
    idle: list[int] = []
    for number, pid in enumerate([pid for machine in machines for pid in machine.processes()]):
        person = Person(
            f"probe-{number}", f"+1202555{number:04}", f"probe{number}@example.com", WORKSPACE, "probe", 0, None
        )
        with _alone(machines, pid):
            if not _deliver(database, wakeups, person):
                idle.append(pid)
        people.append(person)
    return Probe(people, idle)


def _deliver(database: Database, wakeups: Wakeups, person: Person) -> bool:
    event = EnrollEvent(person.sequence, external_id=person.name, phone=person.phone, email=person.email)
    enrollment = publish(database, wakeups, event).enrollment_id
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with database.transaction() as session:
            if session.execute(STATUS, (enrollment,)).fetchall() == [("sent",)]:
                return True
        time.sleep(LOOK)
    return False


@contextmanager
def _alone(machines: Sequence[Machine], pid: int) -> Iterator[None]:
    """Stop all processes but one."""
    others = [(machine, other) for machine in machines for other in machine.processes() if other != pid]
    try:
        for machine, other in others:
            machine.strike(other, signal.SIGSTOP)
        yield
    finally:
        for machine, other in others:
            machine.strike(other, signal.SIGCONT)
