"""Cadenza for a test: every method returns when all that is due by then has been settled."""

import gc
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime, timedelta
from os import PathLike
from pathlib import Path
from typing import Any, Final

from deploy.cli.session import required
from deploy.sandbox.client import SandboxClient
from deploy.sandbox.ledger import read_entries
from deploy.testing.ground import Ground
from deploy.testing.message import Message
from deploy.testing.operating import Operating
from engine import clock
from engine.database import Database
from engine.errors import CadenzaError
from engine.outbox.claim import MAY_GO
from engine.settings import Settings
from engine.wakeups import Wakeups
from producers.applying import apply_file
from producers.enroll_event import EnrollEvent, publish
from producers.explaining import Explained, explain_enrollment
from producers.signals import About, Heard
from producers.tasks.acts import complete
from producers.workspaces import find_workspace
from schema.definition import parse_duration
from schema.states import SignalKind
from workers import process
from workers.channels import open_channels

#: Real seconds that a test waits for the workers; they need fractions of one, and a slow machine has its time.
PATIENCE: Final = 60.0
PAUSE: Final = 0.02

#: What is being done, or is about to be: it is due, and nothing but the workers' haste keeps it.
UNSETTLED: Final = f"""
SELECT o.step_key, o.status FROM outbox o
WHERE o.status IN ('sending', 'unknown') OR o.status = 'pending' AND o.due_at <= sequence_now() AND {MAY_GO}
"""  # noqa: S608 (composed of our own constants)

NEXT_DUE: Final = f"""
SELECT min(o.due_at) FROM outbox o WHERE o.status = 'pending' AND o.due_at > sequence_now() AND {MAY_GO}
"""  # noqa: S608 (composed of our own constants)

SENT: Final = """
SELECT provider_id, sent_at, step_key, enrollment_id FROM outbox WHERE status = 'sent'
"""

#: Fields of an enroll event; all else that `enroll` is given are attributes of the contact.
OWN: Final = {field.name for field in fields(EnrollEvent)} - {"sequence", "workspace"}


class Cadenza(Operating):
    """A Cadenza of the test's own. Moments are sequence time: a test can live through two weeks in seconds."""

    def __init__(self, settings: Settings, ledger: Path, provider: SandboxClient) -> None:
        """Use `open_cadenza`."""
        self._settings = settings
        self._provider = provider
        self._ledger = ledger
        self._seen = len(list(read_entries(ledger)))
        self._database = Database(required(settings.database_url), name="cadenza testing")
        self._wakeups = Wakeups(required(settings.redis_url))

    def apply(self, *files: str | PathLike[str]) -> None:
        """Publish files of sequences and templates."""
        for file in files:
            with self._database.transaction() as session:
                apply_file(session, find_workspace(session, "default").id, Path(file))

    def enroll(self, sequence: str, **contact: Any) -> int:
        """Enroll somebody by `email`, `phone` or `external_id`; give the enrollment.

        `first_name`, `last_name`, `timezone`, `data` and `idempotency_key` are what they are elsewhere, all others
        become attributes of the contact.
        """
        own = {name: value for name, value in contact.items() if name in OWN}
        attributes = {name: value for name, value in contact.items() if name not in OWN}
        own["attributes"] = {**(own.get("attributes") or {}), **attributes}
        enrolled = publish(self._database, self._wakeups, EnrollEvent(sequence, **own))
        self.settle()
        return enrolled.enrollment_id

    def event(
        self,
        kind: str,
        enrollment: int | None = None,
        *,
        step: str | None = None,
        email: str | None = None,
        phone: str | None = None,
        external_id: str | None = None,
        name: str | None = None,
        link: str | None = None,
        user_agent: str | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """Tell what was heard: `event("clicked", enrollment, step="hello", link="https://example.com")`."""
        about = About(enrollment_id=enrollment, step=step, email=email, phone=phone, external_id=external_id)
        self._hear(Heard(SignalKind(kind), about, name=name, link=link, user_agent=user_agent, data=data or {}))

    def complete(
        self, enrollment: int, step: str, outcome: str | None = None, *, by: str | None = None, note: str | None = None
    ) -> None:
        """Say that a task is done."""
        with self._database.transaction() as session:
            workspace = find_workspace(session, "default").id
            acted = complete(session, workspace, enrollment, step, outcome=outcome, by=by, note=note)
        self._go_on(acted.wakeups)

    def advance(self, by: str | timedelta) -> None:
        """Let time go on: `advance("3 days")`. Whatever falls due on the way does so at its own moment."""
        self.go_to(self.now() + (by if isinstance(by, timedelta) else parse_duration(by)))

    def go_to(self, moment: datetime) -> None:
        """Let time go on until a moment that is yet to come."""
        self.settle()
        while (due := self._next_due()) is not None and due < moment:
            self._jump(due)
            self.settle()
        self._jump(moment)
        self.settle()

    def now(self) -> datetime:
        """The sequence time, UTC."""
        with self._database.transaction() as session:
            return clock.sequence_now(session)

    def sent(self) -> list[Message]:
        """What has gone out, in that order, as the providers received it."""
        self.settle()
        with self._database.transaction() as session:
            rows = {provider_id: rest for provider_id, *rest in session.execute(SENT)}
        entries = list(read_entries(self._ledger))[self._seen :]
        return [
            Message(
                channel=entry.channel,
                to=entry.to or "",
                subject=entry.subject,
                text=entry.body if entry.channel == "sms" else _stripped(entry.content("plain")),
                html=_stripped(entry.content("html")),
                at=at,
                step=step,
                enrollment=enrollment,
            )
            for entry in entries
            if entry.event == "accepted" and entry.id in rows
            for at, step, enrollment in [rows[entry.id]]
        ]

    def explain(self, enrollment: int) -> Explained:
        """Every step of an enrollment, why it is as it is, and what comes next: as `cadenza explain --json` has it."""
        return explain_enrollment(self._database, "default", enrollment)

    def settle(self) -> None:
        """Wait until the workers have done all that is due.

        Raises:
            CadenzaError: they have not, for a long time.
        """
        deadline = time.monotonic() + PATIENCE
        while rows := self._unsettled():
            if time.monotonic() > deadline:
                raise CadenzaError(f"not settled within {PATIENCE:g} seconds: {rows}")
            time.sleep(PAUSE)

    def _unsettled(self) -> list[tuple[str, str]]:
        with self._database.transaction() as session:
            return session.execute(UNSETTLED.encode()).fetchall()

    def _next_due(self) -> datetime | None:
        with self._database.transaction() as session:
            row = session.execute(NEXT_DUE.encode()).fetchone()
        return None if row is None else row[0]

    def _jump(self, moment: datetime) -> None:
        with self._database.transaction() as session:
            ahead = moment - clock.sequence_now(session)
            if ahead > timedelta():
                clock.advance(session, ahead)

    def close(self) -> None:
        """Give all connections back."""
        self._wakeups.close()
        self._database.close()


@contextmanager
def open_cadenza(ground: Ground) -> Iterator[Cadenza]:
    """Run workers for a test, on a database of its own."""
    with ground.own_settings() as settings:
        cadenza = Cadenza(settings, ground.sandbox.sandbox.ledger, ground.sandbox.sandbox.client)
        stop = threading.Event()
        worker = threading.Thread(
            target=process.run, args=(settings, 2, open_channels(settings), stop), name="cadenza worker"
        )
        thresholds = gc.get_threshold()
        worker.start()
        try:
            yield cadenza
        finally:
            stop.set()
            worker.join(PATIENCE)
            cadenza.close()
            ground.sandbox.sandbox.client.end_faults()
            ground.sandbox.sandbox.client.forget_messages()  # a look-up of the next test would find them
            gc.set_threshold(*thresholds)  # a worker process has its own (workers/process.py)
            gc.unfreeze()


def _stripped(text: str | None) -> str | None:
    return None if text is None else text.rstrip("\n")
