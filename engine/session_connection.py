"""A connection to Postgres with our settings, whether it leads to Postgres itself or through a connection pooler."""

from typing import Any, Final, Self

import psycopg
from psycopg import Connection

from engine.session_settings import BEGIN, BEGIN_SNAPSHOT, MARK, REPORTED, SessionSettings

#: What PgBouncer says to a client that passes settings when it connects.
REFUSED: Final = "unsupported startup parameter"

#: Makes a snapshot of a transaction that has begun.
SNAPSHOT: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"


class SessionConnection(Connection[tuple[Any, ...]]):
    """Has our settings in every transaction that `begin` begins.

    To Postgres itself they are set when it connects, and hold for the session. A pooler in transaction mode gives each
    transaction another session: there each transaction sets them for itself, and no statement is prepared.
    """

    pooled: bool = False
    """Whether a pooler stands between."""
    _local: bytes = b""

    @classmethod
    def connect(  # type: ignore[override]  # the settings are ours, and what is not passed here keeps its default
        cls, conninfo: str = "", *, settings: SessionSettings, autocommit: bool = False, **kwargs: Any
    ) -> Self:
        """Connect, and find out what to.

        Raises:
            psycopg.OperationalError: the server can't be reached or refuses the credentials.
        """
        try:
            options = settings.startup_options
            connection = super().connect(conninfo, autocommit=True, options=options, **kwargs)
        except psycopg.OperationalError as error:
            if REFUSED not in str(error):
                raise
            connection = super().connect(conninfo, autocommit=True, options="", **kwargs)
        try:
            connection.arrange(settings, autocommit=autocommit)
        except BaseException:
            connection.close()
            raise
        return connection

    def begin(self, *, snapshot: bool = False) -> None:
        """Begin a transaction, with our settings; no round trip more than a BEGIN.

        `snapshot`: every statement of it sees the same state, and none may write.
        """
        if self.pooled:
            begin = BEGIN_SNAPSHOT if snapshot else BEGIN
            self.execute(begin.encode() + b"; " + self._local)
        elif snapshot:
            self.execute(SNAPSHOT)

    def arrange(self, settings: SessionSettings, *, autocommit: bool) -> None:
        """Find out whether a pooler stands between, and set what a new connection could not be given."""
        mark = self.execute("SELECT current_setting(%s, true)", (MARK,), prepare=False).fetchone()
        self.pooled = mark != ("on",)
        self._local = settings.local(self.info.server_version).as_bytes(None)
        if self.pooled:
            self.prepare_threshold = None
            return
        reported = {name: self.info.parameter_status(reports) for name, reports in REPORTED.items()}
        if (corrections := settings.corrections(self.info.server_version, reported)) is not None:
            self.execute(corrections)
        self.autocommit = autocommit
