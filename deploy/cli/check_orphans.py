"""The check of `cadenza doctor` for rows whose owner is gone."""

from typing import Final

import psycopg

from engine.database import Database
from engine.errors import CadenzaError
from schema.counted import counted

#: Milliseconds for one look: a table of ten million rows takes longer.
PATIENCE_MS: Final = 10_000

#: What each kind is, what to do about it, and how it is found.
ORPHANS: Final = (
    (
        "enrollment",
        "without a contact",
        "restore the contact from a backup, or `cadenza cancel {id}`",
        (
            "SELECT count(*), min(e.id) FROM enrollments e"
            " WHERE NOT EXISTS (SELECT FROM contacts c WHERE c.id = e.contact_id)"
        ),
    ),
    (
        "enrollment",
        "without a sequence version",
        "restore the version from a backup",
        (
            "SELECT count(*), min(e.id) FROM enrollments e"
            " WHERE NOT EXISTS (SELECT FROM sequence_versions v WHERE v.id = e.version_id)"
        ),
    ),
    (
        "outbox row",
        "without an enrollment",
        "restore the enrollment from a backup, or delete row {id}",
        (
            "SELECT count(*), min(o.id) FROM outbox o"
            " WHERE NOT EXISTS (SELECT FROM enrollments e WHERE e.id = o.enrollment_id)"
        ),
    ),
    (
        "attempt",
        "without an outbox row",
        "restore row {id} from a backup: what was sent is known by its attempt alone",
        (
            "SELECT count(*), min(a.outbox_id) FROM attempt_records a"
            " WHERE NOT EXISTS (SELECT FROM outbox o WHERE o.id = a.outbox_id)"
        ),
    ),
)


class OrphansError(CadenzaError):
    """Rows have lost what they belong to."""


def check_orphans(database: Database) -> str:
    """Return that nothing has lost what it belongs to.

    Raises:
        OrphansError: something has; the message says how many of what, an example, and what to do.
    """
    found, unseen = [], []
    for what, lost, mend, query in ORPHANS:
        try:
            with database.transaction() as session:
                session.execute(f"SET LOCAL statement_timeout = {PATIENCE_MS}".encode())
                row = session.execute(query.encode()).fetchone()
        except psycopg.errors.QueryCanceled:
            unseen.append(f"{what}s {lost}")
            continue
        if row is not None and row[0]:
            found.append(f"{counted(row[0], what)} {lost}, such as {row[1]}: {mend.format(id=row[1])}")
    if found:
        raise OrphansError("; ".join(found))
    if unseen:
        return f"none seen; too many rows to look for {', '.join(unseen)}"
    return "every enrollment has its contact and version, every step its enrollment, every attempt its step"
