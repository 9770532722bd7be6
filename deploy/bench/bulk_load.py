"""`python -m deploy.bench.bulk_load`: bulk enrollment without end, as a load beside what is measured."""

import sys
from itertools import count
from threading import Event, Thread
from typing import Final

from deploy.bench.children import until_parent_is_gone
from deploy.bench.ground import CHUNK
from deploy.cli.session import required
from engine.database import Database
from engine.settings import read_settings
from engine.wakeups import Wakeups
from producers.enrollment import enroll_people
from producers.people import person
from producers.sequences import find_sequence, publish
from producers.workspaces import find_workspace
from schema.definition import parse

#: Nothing of it falls due while it is measured beside.
FAR_STEPS: Final = "sequence: far-five\nname: Five\nsteps:\n" + "\n".join(
    f"  - {{key: step-{number}, type: sms, delay: {number} days, body: Hi}}" for number in range(1, 6)
)


def main() -> None:
    """Enroll chunk after chunk until standard input closes or SIGTERM."""
    settings = read_settings()
    database, wakeups = Database(required(settings.database_url)), Wakeups(required(settings.redis_url))
    with database.transaction() as session:
        workspace = find_workspace(session, "default").id
        publish(session, workspace, parse(FAR_STEPS))
        sequence = find_sequence(session, workspace, "far-five")
    stop = Event()
    Thread(target=until_parent_is_gone, args=(stop,), daemon=True).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for chunk in count():
        if stop.is_set():
            return
        people = [
            person(
                {"external_id": f"bulk-{chunk}-{n}", "phone": f"+1{3105550000 + chunk * CHUNK + n}"},
                region="US",
                needs=frozenset({"phone"}),
            )[0]
            for n in range(CHUNK)
        ]
        with database.transaction() as session:
            enrolled = enroll_people(session, sequence, people)
        wakeups.schedule(enrolled.wakeups)


if __name__ == "__main__":
    main()
