"""What a worker process knows of sequence versions and workspaces: read once, or again after a while."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final, Literal

from engine.database import Database
from engine.outbox.hours import HOURS, hours_of
from engine.rules.calendar import Hours
from engine.rules.program import Program
from schema.definition import AnyStep, Definition

#: Real seconds after which a workspace is read anew. Versions never change.
FRESH: Final = 5.0


@dataclass(frozen=True, slots=True)
class Version:
    """A published version of a sequence."""

    number: int
    definition: Definition
    steps: dict[str, AnyStep]
    program: Program
    variables: dict[str, Any]
    """What templates may say of it: `sequence.*`."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """What a workspace says of its messages."""

    public_id: str
    max_tries: int
    sender_name: str | None
    email_from: str | None
    smtp_guarantee: Literal["at_most_once", "at_least_once"] | None
    webhook_secret: str
    key: str
    signing_secrets: tuple[str, ...]
    """What it signs webhooks with, the newest first: several for a while after it was changed."""
    hours: Hours
    """What it says of its time."""
    reply_to: str | None = None
    cc: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of its email, beside those that every email has."""


class Known:
    """Versions and workspaces by their ids. Used by many threads."""

    def __init__(self, database: Database) -> None:
        """Know nothing yet."""
        self._database = database
        self._lock = Lock()
        self._versions: dict[int, Version] = {}
        self._tenants: dict[int, tuple[float, Tenant]] = {}

    def version(self, version_id: int) -> Version:
        """The version with this id."""
        known = self._versions.get(version_id)
        if known is None:
            with self._lock, self._database.transaction() as session:
                row = session.execute(
                    "SELECT number, definition FROM sequence_versions WHERE id = %s", (version_id,)
                ).fetchone()
            if row is None:
                raise LookupError(f"sequence version {version_id} is gone")
            definition = Definition.restore(row[1])
            known = Version(
                row[0],
                definition,
                {step.key: step for step in definition.walk()},
                Program.of(definition),
                {"key": definition.sequence, "name": definition.name, "version": row[0]},
            )
            self._versions[version_id] = known
        return known

    def program(self, version_id: int) -> Program:
        """The program of the version with this id."""
        return self.version(version_id).program

    def tenant(self, workspace_id: int) -> Tenant:
        """The workspace with this id."""
        read_at, tenant = self._tenants.get(workspace_id, (float("-inf"), None))
        if tenant is None or time.monotonic() - read_at > FRESH:
            with self._lock, self._database.transaction() as session:
                row = session.execute(
                    "SELECT public_id, max_tries, sender_name, email_from, smtp_guarantee, webhook_secret, key,"  # noqa: S608
                    " signing_secret, CASE WHEN former_secret_until > clock_timestamp() THEN former_secret END,"
                    f" reply_to, cc, headers, {HOURS} FROM workspaces w WHERE id = %s",
                    (workspace_id,),
                ).fetchone()
            if row is None:
                raise LookupError(f"workspace {workspace_id} is gone")
            public_id, max_tries, sender_name, email_from, smtp_guarantee, webhook_secret, key, *secrets = row[:9]
            tenant = Tenant(
                public_id,
                max_tries,
                sender_name,
                email_from,
                smtp_guarantee,
                webhook_secret,
                key,
                tuple(secret for secret in secrets if secret is not None),
                hours_of(*row[12:]),
                row[9],
                tuple(row[10]),
                row[11],
            )
            self._tenants[workspace_id] = (time.monotonic(), tenant)
        return tenant
