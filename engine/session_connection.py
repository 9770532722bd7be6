"""A connection to Postgres with our settings, whether it leads to Postgres itself or through a connection pooler."""

from typing import Any, Final, Self

import psycopg
from psycopg import Connection

from engine.session_settings import MARK, REPORTED, SessionSettings

#: What PgBouncer says to a client that passes settings when it connects.
REFUSED: Final = "unsupported startup parameter"


class SessionConnection(Connection[tuple[Any, ...]]):
    """Has our settings in every transaction that `begin` begins.

    To Postgres itself they are set when it connects, and hold for the session. A pooler in transaction mode gives each
    transaction another session: there each transaction sets them for itself, and no statement is prepared.
    """

    pooled: bool = False
    """Whether a pooler stands between."""
    _begin: bytes = b""

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
            connection._arrange(settings, autocommit=autocommit)
        except BaseException:
            connection.close()
            raise
        return connection

    def begin(self) -> None:
        """Begin a transaction where the next statement would not; no round trip more than a BEGIN."""
        if self.autocommit:
            self.execute(self._begin)

    def _arrange(self, settings: SessionSettings, *, autocommit: bool) -> None:
        mark = self.execute("SELECT current_setting(%s, true)", (MARK,), prepare=False).fetchone()
        self.pooled = mark != ("on",)
        self._begin = settings.begin(self.info.server_version)
        if self.pooled:
            self.prepare_threshold = None
            return
        reported = {name: self.info.parameter_status(reports) for name, reports in REPORTED.items()}
        if (corrections := settings.corrections(self.info.server_version, reported)) is not None:
            self.execute(corrections)
        self.autocommit = autocommit
