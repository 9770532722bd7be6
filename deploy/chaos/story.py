"""The story of a row: all that it did, its attempts, and what the providers accepted of it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from deploy.chaos.history import read_moves
from deploy.sandbox.ledger import read_ledger
from engine.database import Database

ROW: Final = """
SELECT o.type, o.step_key, o.workspace_id, o.enrollment_id, o.status, o.reason, o.provider_id, e.status, e.exit_reason
FROM outbox o JOIN enrollments e ON e.id = o.enrollment_id WHERE o.id = %s
"""

ATTEMPTS: Final = """
SELECT fence, extract(epoch FROM started_at)::float8, extract(epoch FROM ended_at)::float8, outcome, provider_id,
    detail, looks, coalesce(payload ->> 'message_id', payload ->> 'body'), recipient
FROM attempts WHERE outbox_id = %s ORDER BY fence
"""


def tell_story(database: Database, ledger: Path, row: int) -> str:
    """Everything that is known of a row, in the order of time."""
    with database.transaction() as session:
        head = session.execute(ROW, (row,)).fetchone()
        attempts = session.execute(ATTEMPTS, (row,)).fetchall()
    told = [(move.at, f"fence {move.fence}: {move.status} {move.reason or ''}") for move in read_moves(database)[row]]
    about: set[tuple[str, str]] = set()
    for fence, started, ended, outcome, provider_id, detail, looks, content, recipient in attempts:
        about |= {(recipient, content), (recipient, provider_id)}
        told.append((started, f"attempt {fence} begins"))
        told.append(
            (ended or started, f"attempt {fence}: {outcome} {provider_id or ''} {detail or ''} (looks {looks})")
        )
    told += [
        (entry.at, f"the provider accepts {entry.id}")
        for entry in read_ledger(ledger)
        if {(entry.to, entry.body), (entry.to, entry.id)} & about
    ]
    lines = [f"  {datetime.fromtimestamp(at, UTC):%H:%M:%S.%f} {what.rstrip()}" for at, what in sorted(told)]
    return "\n".join([f"row {row}: {head}", *lines])
