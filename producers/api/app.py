"""The application: routes and errors, put together from what it works with."""

from collections.abc import Callable
from urllib.parse import unquote

from fastapi import FastAPI

from engine.clock import SequenceClock
from engine.database import Database
from engine.settings import Settings
from engine.wakeups import Wakeups
from producers.api.errors import add_error_handlers
from producers.api.health import Health
from producers.api.twilio_caller import TwilioCaller, prefix_of
from producers.api.webhooks import Webhooks


def make_app(
    settings: Settings, database: Database, wakeups: Wakeups, require_migrated: Callable[[Database], None]
) -> FastAPI:
    """Make the application. It closes nothing of what it was given."""
    app = FastAPI(title="Cadenza", openapi_url=None, docs_url=None, redoc_url=None)
    add_error_handlers(app)
    app.include_router(Health(database, wakeups, require_migrated).routes())
    webhooks = Webhooks(TwilioCaller(settings), database, wakeups, SequenceClock(database))
    for prefix in {"", unquote(prefix_of(settings))}:
        app.include_router(webhooks.routes(), prefix=prefix)
    return app
