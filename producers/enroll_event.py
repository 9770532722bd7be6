"""One enroll event: a contact into a sequence, once, whatever the caller retries."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias, Union

import psycopg
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from engine.database import Database, Session
from engine.errors import InvalidInput
from engine.rules.dates import ContactDates
from engine.wakeups import Due, Wakeups
from producers.callers_session import lent
from producers.enrollment import enroll_people
from producers.fields import NotStorableError, json_of
from producers.people import person
from producers.sequences import PublishedSequence, find_sequence
from producers.waking import wake
from producers.workspaces import find_workspace
from schema.messages import ENROLLED_CHANNEL

if TYPE_CHECKING:
    import sqlalchemy

CallersConnection: TypeAlias = Union[Session, "sqlalchemy.Connection"]

#: Of each enrollment that goes on once: what is said of a contact may have ended gates of others.
TELL: Final = """
SELECT pg_notify(%(channel)s, enrollment_id::text)
FROM (SELECT DISTINCT enrollment_id FROM outbox WHERE id = ANY(%(rows)s)) AS woken
"""

#: What other transactions can do to ours: the database undid it, and it can be done anew.
COLLISIONS = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.UniqueViolation,
)


@dataclass(frozen=True, slots=True)
class EnrollEvent:
    """Who is to be enrolled in what. At least one of `external_id`, `email` and `phone` is given."""

    sequence: str
    email: str | None = None
    phone: str | None = None
    external_id: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    timezone: str | None = None
    attributes: Mapping[str, Any] | None = None
    """`custom.*` of the contact: kept for all its enrollments."""
    data: Mapping[str, Any] | None = None
    """`custom.*` of this enrollment alone; JSON."""
    idempotency_key: str | None = None
    """The same key again is the same enrollment, for ever; unique within the workspace."""
    workspace: str = "default"

    def digest(self) -> str:
        """SHA-256 of what is asked, to tell a retry from another request under the same key."""
        asked = {name: getattr(self, name) for name in self.__slots__ if name != "idempotency_key"}
        return hashlib.sha256(json.dumps(asked, sort_keys=True, default=_plain).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The enrollment that the event stands for."""

    enrollment_id: int
    created: bool
    """False: the contact was enrolled before, or the event is a repeat."""
    wakeups: list[Due]
    """Still to be scheduled after the COMMIT; a worker does it when the transaction was the caller's own."""
    warnings: tuple[str, ...] = ()
    """Dates that steps go by and that can't be read: those steps are skipped."""
    contact_id: int | None = None
    """None: the event is a repeat, and the contact was not looked at."""
    contact_changes: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    """What the event changed of a known contact: by field, before and after."""


def publish(database: Database, wakeups: Wakeups, event: EnrollEvent) -> Enrolled:
    """Enroll in a transaction of our own, and schedule the wake-ups after it.

    Raises:
        InvalidInput: the event can't be worked with; the message says why.
        Unavailable: the database can't be reached.
    """
    enrolled = _in_own_transaction(database, event)
    wake(wakeups, enrolled.wakeups)
    return enrolled


def publish_within(connection: CallersConnection, event: EnrollEvent) -> Enrolled:
    """Enroll in the caller's transaction: committed and rolled back with it.

    The database tells the workers when it commits, and they schedule the wake-ups.

    Raises:
        InvalidInput: the event can't be worked with; the caller's transaction can go on.
    """
    with lent(_session_of(connection)) as session:
        enrolled = write(session, event)
        if enrolled.wakeups:
            session.execute(
                TELL, {"channel": ENROLLED_CHANNEL, "rows": [row for _, rows in enrolled.wakeups for row in rows]}
            )
    return enrolled


@retry(
    retry=retry_if_exception_type(COLLISIONS),
    stop=stop_after_attempt(8),
    wait=wait_random_exponential(0.05, 1),
    reraise=True,
)
def _in_own_transaction(database: Database, event: EnrollEvent) -> Enrolled:
    with database.transaction() as session:
        return write(session, event)


def write(session: Session, event: EnrollEvent) -> Enrolled:
    """Write the enrollment, or find the one that this event stands for."""
    workspace = find_workspace(session, event.workspace)
    key = event.idempotency_key
    if key is not None:
        if not key.strip() or len(key) > 255:
            raise InvalidInput("the idempotency key is 1 to 255 characters")
        session.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, %s))", (f"cadenza enroll event {key}", workspace.id)
        )
        if (before := _honoured(session, workspace.id, key, event)) is not None:
            return Enrolled(before, created=False, wakeups=[])
    sequence = find_sequence(session, workspace.id, event.sequence)
    enrolled = _enroll(session, sequence, workspace.region, event)
    if key is not None:
        session.execute(
            "INSERT INTO enroll_events (workspace_id, idempotency_key, digest, enrollment_id) VALUES (%s, %s, %s, %s)",
            (workspace.id, key, event.digest(), enrolled.enrollment_id),
        )
    return enrolled


def _honoured(session: Session, workspace_id: int, key: str, event: EnrollEvent) -> int | None:
    row = session.execute(
        "SELECT enrollment_id, digest FROM enroll_events WHERE workspace_id = %s AND idempotency_key = %s",
        (workspace_id, key),
    ).fetchone()
    if row is None:
        return None
    enrollment_id, digest = row
    if digest != event.digest():
        raise InvalidInput(
            f"idempotency key {key!r} was used for another request (enrollment {enrollment_id}): use a new key"
        )
    return int(enrollment_id)


def _enroll(session: Session, sequence: PublishedSequence, region: str, event: EnrollEvent) -> Enrolled:
    fields = {
        "email": event.email,
        "phone": event.phone,
        "external_id": event.external_id,
        "first_name": event.first_name,
        "last_name": event.last_name,
        "timezone": event.timezone,
        **(event.attributes or {}),
    }
    who, warnings = person(fields, region=region, needs=sequence.definition.needs)
    if warnings:
        raise InvalidInput("; ".join(warning.removesuffix("; left out") for warning in warnings))
    try:
        data = json_of("data", event.data or {})
    except NotStorableError as error:
        raise InvalidInput(str(error)) from None
    unread = ContactDates(sequence.definition).unread({**who.attributes, **(event.data or {})})
    if required := [date for date in unread if date.required]:
        raise InvalidInput("; ".join(map(str, required)))
    chunk = enroll_people(session, sequence, [who], data=data, with_changes=True)
    contact = chunk.contacts[0]
    if isinstance(contact, str):
        raise InvalidInput(contact)
    if chunk.enrollments:
        said = tuple(map(str, unread))
        return Enrolled(chunk.enrollments[0], True, chunk.wakeups, said, contact, chunk.changes.get(contact, {}))
    row = session.execute(
        "SELECT id FROM enrollments WHERE contact_id = %s AND sequence_id = %s ORDER BY id DESC LIMIT 1",
        (contact, sequence.sequence_id),
    ).fetchone()
    if row is None:
        raise psycopg.errors.SerializationFailure("the enrollment that barred this one is gone")
    return Enrolled(row[0], False, chunk.wakeups, (), contact, chunk.changes.get(contact, {}))


def _plain(value: object) -> object:
    """A mapping that isn't a dict; what has no JSON form is told apart too, though it is refused later."""
    return dict(value) if isinstance(value, Mapping) else repr(value)


def _session_of(connection: CallersConnection) -> Session:
    given: object = connection if isinstance(connection, psycopg.Connection) else _below_sqlalchemy(connection)
    if not isinstance(given, psycopg.Connection):
        raise InvalidInput(
            "connection: expected a psycopg 3 Connection, or a SQLAlchemy Connection that uses psycopg 3"
        )
    if given.autocommit and given.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
        raise InvalidInput(
            "connection: it is in autocommit and in no transaction; begin one, so that all commits together"
        )
    return given


def _below_sqlalchemy(connection: object) -> object:
    import sqlalchemy  # whoever gives such a connection has read it already; others need not wait for it

    if not isinstance(connection, sqlalchemy.Connection):
        return connection
    if not connection.in_transaction():
        connection.exec_driver_sql("SELECT 1")  # so that it knows of a transaction, and its commit commits it
    return connection.connection.driver_connection
