"""What our sessions set in Postgres, so that they rely on no default of a role, a database or the environment."""

import shlex
from collections.abc import Mapping
from typing import Final

from psycopg import sql

from engine.errors import InvalidInput

#: Ours unless the URL's own `options` say something else.
PREFERRED: Final[Mapping[str, str]] = {
    "search_path": "public",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}

#: Our statements, and the way in which their results are read, need these.
REQUIRED: Final[Mapping[str, str]] = {
    "jit": "off",
    "timezone": "UTC",
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    "extra_float_digits": "1",
    "array_nulls": "on",
    "transform_null_equals": "off",
    "row_security": "on",
    "exit_on_error": "off",
    "client_min_messages": "warning",
}

#: The same, of whole sessions: inside a transaction they change nothing.
OF_A_SESSION: Final[Mapping[str, str]] = {
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
    "idle_session_timeout": "0",
}

#: A setting of ours that Postgres does not know: whoever reads it back talks to Postgres itself, since a connection
#: pooler such as PgBouncer drops it.
MARK: Final = "cadenza.direct"

#: What libpq takes from the environment (PGTZ, PGDATESTYLE) beats the options of the same connection. The server tells
#: these after it has accepted a connection.
REPORTED: Final = {"timezone": "TimeZone", "datestyle": "DateStyle"}

#: The first Postgres with `transaction_timeout`; an older one refuses a connection that sets it at the start.
TRANSACTION_TIMEOUT: Final = 170_000

BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE NOT DEFERRABLE"

#: Every statement sees the same state, and none may write.
BEGIN_SNAPSHOT: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY NOT DEFERRABLE"


class SessionSettings:
    """The settings of the sessions of one database, by name."""

    def __init__(self, url_options: str, options: str) -> None:
        """Take the `options` of the URL and those of this kind of session, both as libpq has them: `-c name=value`.

        Raises:
            InvalidInput: the URL's options have something else.
        """
        self._local = {**PREFERRED, **parse_options(url_options), **REQUIRED, **parse_options(options)}

    @property
    def startup_options(self) -> str:
        """The `options` of a connection to Postgres itself: they beat the defaults of roles and databases."""
        settings = {**self._local, **OF_A_SESSION, MARK: "on"}
        return " ".join(f"-c {name}={_escaped(value)}" for name, value in settings.items())

    def corrections(self, server_version: int, reported: Mapping[str, str | None]) -> sql.Composed | None:
        """Return the statement that sets what startup options could not; None: nothing is left."""
        wrong = {name: self._local[name] for name in REPORTED if reported.get(name) != self._local[name]}
        if server_version >= TRANSACTION_TIMEOUT:
            wrong["transaction_timeout"] = "0"
        return _set(wrong, local=False) if wrong else None

    def local(self, server_version: int) -> sql.Composed:
        """Return the statement that sets everything for one transaction alone."""
        settings = dict(self._local)
        if server_version >= TRANSACTION_TIMEOUT:
            settings["transaction_timeout"] = "0"
        return _set(settings, local=True)


def parse_options(options: str) -> dict[str, str]:
    """Return the settings in libpq's `options`: `-c name=value`, `-cname=value` or `--name=value`.

    Raises:
        InvalidInput: something else is in it.
    """
    settings: dict[str, str] = {}
    words = iter(_words(options))
    for word in words:
        setting = next(words, "") if word == "-c" else word.removeprefix("--" if word.startswith("--") else "-c")
        name, equals, value = setting.partition("=")
        if setting == word or not name or not equals:
            raise InvalidInput("CADENZA_DATABASE_URL: its options can only have settings: -c name=value")
        settings[name.strip().lower().replace("-", "_")] = value
    return settings


def _words(options: str) -> list[str]:
    """Split at blanks that have no backslash before them, as Postgres does."""
    lexer = shlex.shlex(options, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = lexer.quotes = ""
    return list(lexer)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")


def _set(settings: Mapping[str, str], *, local: bool) -> sql.Composed:
    one = "set_config({}, {}, true)" if local else "set_config({}, {}, false)"
    return sql.SQL("SELECT {}").format(
        sql.SQL(", ").join(
            sql.SQL(one).format(sql.Literal(name), sql.Literal(value)) for name, value in settings.items()
        )
    )
