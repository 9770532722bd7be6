"""Whether the process lives, and whether it can work."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog
from fastapi import APIRouter
from fastapi.responses import JSONResponse

from engine.database import Database
from engine.errors import CadenzaError
from engine.wakeups import Wakeups, WakeupsUnavailable

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Health:
    """Answers those that watch over us (kubernetes.io: liveness and readiness probes)."""

    database: Database
    wakeups: Wakeups
    require_migrated: Callable[[Database], None]
    """Raises what is wrong with the database's tables."""

    def routes(self) -> APIRouter:
        """Its paths."""
        router = APIRouter()
        router.add_api_route("/healthz", self.healthz, methods=["GET"])
        router.add_api_route("/readyz", self.readyz, methods=["GET"])
        return router

    async def healthz(self) -> JSONResponse:
        """It lives; nothing else is asked."""
        return JSONResponse({"status": "ok"})

    def readyz(self) -> JSONResponse:
        """The database answers and has our tables. Redis may be away: the sweeper makes up for that."""
        database, redis = self._database(), self._redis()
        ready = database == "ok"
        content = {"status": "ready" if ready else "not ready", "database": database, "redis": redis}
        return JSONResponse(content, 200 if ready else 503)

    def _database(self) -> str:
        """Ask beside the pool first, which would wait for a server that is away."""
        try:
            self.database.check()
            self.require_migrated(self.database)
        except CadenzaError as error:
            log.warning("not ready", reason=str(error))
            return type(error).__name__
        return "ok"

    def _redis(self) -> str:
        try:
            self.wakeups.check()
        except WakeupsUnavailable:
            return "away"
        return "ok"
