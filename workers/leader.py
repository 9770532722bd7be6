"""One leader among many processes: the holder of an advisory lock, for as long as its connection lives."""

from engine.database import Session


def leading(session: Session, lock: int) -> bool:
    """Try to become the holder of the lock on this connection, which must be in autocommit."""
    row = session.execute("SELECT pg_try_advisory_lock(%s)", (lock,)).fetchone()
    return bool(row and row[0])
