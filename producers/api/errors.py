"""What a request is refused with: the one place that maps errors to HTTP statuses."""

from dataclasses import dataclass, field
from typing import Final

import psycopg
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse

from engine.errors import CadenzaError, InvalidInput, NotFound, NotMigrated, StorageFull, Unavailable

log = structlog.get_logger(__name__)


class Forbidden(CadenzaError):  # noqa: N818 (named as its HTTP status is)
    """The request is not from whom it should be. The reason is logged, and not told."""


class TooLarge(CadenzaError):  # noqa: N818
    """The body is longer than any that we take."""


class TooSlow(CadenzaError):  # noqa: N818
    """The body did not come in time."""


#: Of several that fit the first counts.
STATUSES: Final[dict[type[CadenzaError], int]] = {
    Forbidden: 403,
    TooLarge: 413,
    TooSlow: 408,
    NotFound: 404,
    InvalidInput: 400,
    Unavailable: 503,
    NotMigrated: 503,
    StorageFull: 503,
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer that stands for an error: one line."""

    status: int
    line: str
    headers: dict[str, str] = field(default_factory=dict)


def refusal_of(error: CadenzaError | psycopg.Error) -> Refusal:
    """Log an error, and return its answer.

    Of an error of Postgres only the kind is told: what it says may quote the data.
    """
    if isinstance(error, psycopg.Error):
        log.error("request failed", status=500, reason=type(error).__name__)
        return Refusal(500, "the database refused it\n")
    status = status_of(error)
    if isinstance(error, Forbidden):
        log.warning("request refused", status=status, reason=str(error))
        return Refusal(status, "forbidden\n")
    log.log(40 if status >= 500 else 30, "request failed", status=status, reason=str(error))
    return Refusal(status, f"{error}\n", {"connection": "close"} if isinstance(error, TooLarge | TooSlow) else {})


def status_of(error: CadenzaError) -> int:
    """Return the HTTP status that stands for an error."""
    return next((status for kind, status in STATUSES.items() if isinstance(error, kind)), 500)


def add_error_handlers(app: FastAPI) -> None:
    """Answer errors with one line."""
    app.add_exception_handler(CadenzaError, _refuse)
    app.add_exception_handler(psycopg.Error, _refuse)


async def _refuse(_request: Request, error: Exception) -> Response:
    if not isinstance(error, CadenzaError | psycopg.Error):
        raise error
    refusal = refusal_of(error)
    return PlainTextResponse(refusal.line, refusal.status, refusal.headers)
