"""Connections to Postgres, the only truth."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from json import JSONDecoder
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import psycopg
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.json import set_json_loads
from psycopg_pool import ConnectionPool, PoolTimeout

from engine.arrays import adapt_arrays
from engine.errors import InvalidInput, NotMigrated, Unavailable
from engine.session_connection import SessionConnection
from engine.session_settings import SessionSettings

Session: TypeAlias = Connection[tuple[Any, ...]]

#: For every session: no plan is kept that was made for an empty table.
PLANS: Final = "-c plan_cache_mode=force_custom_plan"

#: For sessions that look rows up by their ids and keep their plans (docs/decisions/0023-one-shape-of-plan.md).
KEPT_PLANS: Final = (
    "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off"
)

#: For workers' sessions: one that is stopped, or cut off without anybody's notice, in the middle of a transaction does
#: not keep its rows locked for long. Milliseconds.
NO_IDLE_LOCKS: Final = "-c idle_in_transaction_session_timeout=5000"

#: What is raised when the database is gone, in a transaction or before it.
GONE: Final = (psycopg.OperationalError, psycopg.InterfaceError, Unavailable)

#: Real seconds to wait for a server to take a connection.
CONNECT_SECONDS = 10

#: Real seconds to wait for a connection of the pool.
POOL_SECONDS = 2 * CONNECT_SECONDS

#: A server that is cut off without a word is noticed within a minute: 30 seconds of silence and three questions, or
#: as long for what was sent and never confirmed. The kernel's own defaults are two hours, and a quarter of one.
NOTICE_SILENCE: Final = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}


class Database:
    """A pool of connections; every use of one is one transaction."""

    def __init__(
        self, url: str, *, size: int = 4, name: str = "cadenza", options: str = "", patience: float = POOL_SECONDS
    ) -> None:
        """Prepare the pool; connect when first used. `patience` is the longest wait for a connection, in real seconds.

        Raises:
            InvalidInput: the URL can't be read.
        """
        _require_readable(url)
        self.url = url
        self._options: dict[str, Any] = {
            "settings": SessionSettings(str(conninfo_to_dict(url).get("options") or ""), f"{PLANS} {options}"),
            "connect_timeout": CONNECT_SECONDS,
            "application_name": name,
            "client_encoding": "UTF8",
            **NOTICE_SILENCE,
        }
        self._patience = patience
        self._pool = self._make_pool(size)
        self._apart = self._make_pool(1)

    def check(self) -> None:
        """Make sure that the server answers and accepts the credentials.

        Raises:
            Unavailable: it does not.
        """
        self.connect().close()

    def connect(self, *, autocommit: bool = True) -> SessionConnection:
        """Open a connection beside the pool; one that goes through a pooler is always in autocommit.

        Raises:
            Unavailable: the server can't be reached or refuses the credentials.
        """
        try:
            return SessionConnection.connect(self.url, autocommit=autocommit, **self._options)
        except psycopg.OperationalError as error:
            raise Unavailable(
                f"Postgres: {first_line(error)}; does it run, and is CADENZA_DATABASE_URL right?"
            ) from None

    @contextmanager
    def transaction(self, *, apart: bool = False, snapshot: bool = False) -> Iterator[Session]:
        """Give a connection for one transaction: committed at the end, rolled back on any error.

        `apart`: one beside the pool, for those who are asked something by holders of its connections. Were all of them
        held by such, each would wait for the others.

        `snapshot`: every statement sees the same state, and none may write.

        Raises:
            Unavailable: no connection could be had.
            NotMigrated: a table or function is missing.
        """
        pool = self._apart if apart else self._pool
        try:
            pool.open()
            with pool.connection() as connection:
                connection.begin(snapshot=snapshot)
                yield connection
        except PoolTimeout:
            raise Unavailable(f"Postgres: no connection within {self._patience:g} seconds") from None
        except (
            psycopg.errors.UndefinedTable,
            psycopg.errors.UndefinedFunction,
            psycopg.errors.UndefinedColumn,
        ) as error:
            raise NotMigrated(f"the database is not up to date ({first_line(error)}): run `cadenza migrate`") from None

    @contextmanager
    def long_transaction(self) -> Iterator[Session]:
        """Give a connection of its own for one transaction that lasts as long as some other work.

        It is committed at the end; on any error the connection is closed, and the server rolls it back.

        Raises:
            Unavailable: the server can't be reached or refuses the credentials.
        """
        with closing(self.connect(autocommit=False)) as connection:
            connection.begin()
            yield connection
            connection.commit()

    def close(self) -> None:
        """Give all connections back."""
        self._pool.close()
        self._apart.close()

    def _make_pool(self, size: int) -> "ConnectionPool[SessionConnection]":
        # A pool doubles its pauses between attempts to connect. Were that not limited, a server that had been away for
        # an hour would be missed for another five minutes.
        return ConnectionPool(
            self.url,
            connection_class=SessionConnection,
            min_size=0,
            max_size=size,
            open=False,
            timeout=self._patience,
            reconnect_timeout=self._patience,
            kwargs=self._options,
            configure=_adapt,
        )


_JSON: Final = JSONDecoder()


def _adapt(connection: Session) -> None:
    """Read and write what goes through here by the hundred as fast as can be."""
    adapt_arrays(connection)
    set_json_loads(_json, connection)


def _json(document: str | bytes) -> Any:
    """What Postgres wrote: UTF-8, with no white space around it."""
    return _JSON.raw_decode(document if isinstance(document, str) else document.decode())[0]


def _require_readable(url: str) -> None:
    """Make sure that it is a URL of Postgres; what is said never repeats it, since it has a password in it."""
    try:
        conninfo_to_dict(url)
        parts = urlsplit(url)
        readable = parts.scheme in ("postgresql", "postgres") and ("," in parts.netloc or parts.port != 0)
    except (psycopg.Error, ValueError):
        readable = False
    if not readable:
        raise InvalidInput(
            "CADENZA_DATABASE_URL can't be read: write postgresql://user:password@host:port/database"
            " (percent-encode what is special in the password)"
        )


def first_line(error: BaseException) -> str:
    """The first line of what an error says, without its full stop, for a message of one line."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")
