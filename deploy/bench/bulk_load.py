"""`python -m deploy.bench.bulk_load`: bulk enrollment without end, as a load beside what is measured."""

from itertools import count
from threading import Event, Thread

from deploy.bench.children import say, until_parent_is_gone
from deploy.bench.ground import CHUNK
from deploy.bench.sequences import FAR_STEPS
from deploy.cli.session import required
from engine.database import Database
from engine.settings import read_settings
from engine.wakeups import Wakeups
from producers.enrollment import enroll_people
from producers.people import person
from producers.sequences import find_sequence, publish
from producers.workspaces import find_workspace
from schema.definition import parse


def main() -> None:
    """Enroll chunk after chunk until standard input closes or SIGTERM."""
    settings = read_settings()
    database, wakeups = Database(required(settings.database_url)), Wakeups(required(settings.redis_url))
    with database.transaction() as session:
        workspace = find_workspace(session, "default").id
        publish(session, workspace, parse(FAR_STEPS))
        sequence = find_sequence(session, workspace, "far")
    stop = Event()
    Thread(target=until_parent_is_gone, args=(stop,), daemon=True).start()
    say("ready")
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
            enrolled = enroll_people(session, sequence, people, done_anew=True)
        wakeups.schedule(enrolled.wakeups)


if __name__ == "__main__":
    main()
