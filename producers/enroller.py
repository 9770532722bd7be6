"""`producers.enroll`: what a backend service calls to enroll a contact."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from engine.database import Database
from engine.errors import InvalidInput
from engine.settings import Settings, read_settings
from engine.wakeups import Wakeups
from producers.enroll_event import CallersConnection, Enrolled, EnrollEvent, publish, publish_within


def enroll(
    sequence: str,
    *,
    email: str | None = None,
    phone: str | None = None,
    external_id: str | None = None,
    first_name: str | None = None,
    last_name: str | None = None,
    timezone: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
    workspace: str | None = None,
    connection: CallersConnection | None = None,
    settings: Settings | None = None,
) -> Enrolled:
    """Enroll a contact in a sequence, once, however often it is called.

    With `connection` (psycopg 3, or SQLAlchemy with psycopg 3) the enrollment belongs to the caller's transaction:
    committed with it and rolled back with it; the workers learn of it at the commit. Without, it is committed when
    this returns, on the servers of `settings` (those of the environment otherwise).

    Raises:
        InvalidInput: what was given can't be worked with; the message says what, where and how to mend it.
        Unavailable: the database can't be reached.
    """
    settings = settings or read_settings()
    event = EnrollEvent(
        sequence,
        email=email,
        phone=phone,
        external_id=external_id,
        first_name=first_name,
        last_name=last_name,
        timezone=timezone,
        attributes=attributes,
        data=data,
        idempotency_key=idempotency_key,
        workspace=workspace or settings.workspace,
    )
    if connection is not None:
        return publish_within(connection, event)
    if settings.database_url is None or settings.redis_url is None:
        raise InvalidInput("set CADENZA_DATABASE_URL and CADENZA_REDIS_URL, or pass a connection")
    database, wakeups = _servers(settings.database_url.get_secret_value(), settings.redis_url.get_secret_value())
    return publish(database, wakeups, event)


@cache
def _servers(database_url: str, redis_url: str) -> tuple[Database, Wakeups]:
    """The connections of this process to the servers, opened at the first enrollment and kept."""
    return Database(database_url, name="cadenza producer"), Wakeups(redis_url)
