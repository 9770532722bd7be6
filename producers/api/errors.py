"""What a request is refused with: the one place that maps errors to HTTP statuses."""

from typing import Final

import psycopg
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.requests import ClientDisconnect

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


def add_error_handlers(app: FastAPI) -> None:
    """Answer errors with one line."""
    app.add_exception_handler(CadenzaError, _refuse)
    app.add_exception_handler(psycopg.Error, _database_failed)
    app.add_exception_handler(ClientDisconnect, _nobody_listens)


def status_of(error: CadenzaError) -> int:
    """The HTTP status that stands for an error."""
    return next((status for kind, status in STATUSES.items() if isinstance(error, kind)), 500)


async def _refuse(_request: Request, error: Exception) -> Response:
    if not isinstance(error, CadenzaError):
        raise error
    status = status_of(error)
    if isinstance(error, Forbidden):
        log.warning("request refused", status=status, reason=str(error))
        return PlainTextResponse("forbidden\n", status)
    log.log(40 if status >= 500 else 30, "request failed", status=status, reason=str(error))
    headers = {"Connection": "close"} if isinstance(error, TooLarge | TooSlow) else None
    return PlainTextResponse(f"{error}\n", status, headers)


async def _database_failed(_request: Request, error: Exception) -> Response:
    """Tell of the kind of error alone: what Postgres says of it may quote the data."""
    log.error("request failed", status=500, reason=type(error).__name__)
    return PlainTextResponse("the database refused it\n", 500)


async def _nobody_listens(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)
