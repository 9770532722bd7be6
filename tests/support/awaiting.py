"""The rows of a workspace that are due, or soon will be, and that nothing else keeps."""

from datetime import timedelta

from engine.clock import sequence_now
from engine.database import Session
from engine.outbox.sweep import BEGINNING, due_page


def awaiting(session: Session, workspace_id: int = 1, *, horizon: float = 30) -> list[int]:
    """Their ids, the longest due first; a back-off ends within as many seconds of real time."""
    until = sequence_now(session) + timedelta(seconds=horizon)
    rows = due_page(session, workspace_id, BEGINNING, until, 1_000)
    ((real_now,),) = session.execute("SELECT clock_timestamp()").fetchall()
    soon = real_now + timedelta(seconds=horizon)
    return [row.id for row in rows if row.may_go and (row.retry_at is None or row.retry_at <= soon)]
