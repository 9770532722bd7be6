"""One leader among many processes: the holder of an advisory lock, for as long as its connection lives."""

from typing import Final

from engine.database import Session

#: A holder that hangs keeps its connection, and so the lock: its machine stopped, or was cut off without a word.
END_SILENT: Final = """
SELECT pg_terminate_backend(holder.pid)
FROM pg_locks holder JOIN pg_stat_activity session ON session.pid = holder.pid
WHERE holder.locktype = 'advisory' AND holder.classid = 0 AND holder.objid = %s AND holder.granted
    AND holder.pid <> pg_backend_pid()
    AND holder.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND session.state_change < clock_timestamp() - %s * interval '1 second'
"""

#: The leader of a host, as pg_stat_activity shows its session.
NAME: Final = "cadenza leader {host}"

IS_LED_FROM: Final = """
SELECT FROM pg_locks holder JOIN pg_stat_activity session ON session.pid = holder.pid
WHERE holder.locktype = 'advisory' AND holder.classid = 0 AND holder.objid = %s AND holder.granted
    AND holder.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND session.application_name = %s
"""


def leading(session: Session, lock: int) -> bool:
    """Try to become the holder of the lock on this connection, which must be in autocommit."""
    row = session.execute("SELECT pg_try_advisory_lock(%s)", (lock,)).fetchone()
    return bool(row and row[0])


def end_silent_leader(session: Session, lock: int, seconds: float) -> bool:
    """End the connection of a holder that has said nothing on it for so many real seconds; False: there is none."""
    return bool(session.execute(END_SILENT, (lock, seconds)).fetchall())


def show_host(session: Session, host: str) -> None:
    """Let others see from which host the holder of a lock leads."""
    session.execute("SELECT set_config('application_name', %s, false)", (NAME.format(host=host),))


def is_led_from(session: Session, lock: int, host: str) -> bool:
    """Return whether the holder of the lock runs on this host."""
    return session.execute(IS_LED_FROM, (lock, NAME.format(host=host))).fetchone() is not None
