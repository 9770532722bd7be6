"""The HTTP API in this process, for `cadenza api` and `cadenza up`."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from deploy.cli.session import required
from engine.database import Database
from engine.settings import Settings
from engine.wakeups import Wakeups

if TYPE_CHECKING:
    from producers.api.server import HttpServer

#: Connections to the database: as many requests as may be in it at the same time.
CONNECTIONS: Final = 10

#: Twilio waits for 15 seconds. Real seconds to wait for a connection: who is told in time that it failed may try again.
PATIENCE: Final = 6.0

#: A statement that takes longer, or waits longer for a lock, is given up and tried again.
LIMITS: Final = "-c statement_timeout=6000 -c lock_timeout=3000 -c idle_in_transaction_session_timeout=10000"


@contextmanager
def serving(
    settings: Settings, require_migrated: Callable[[Database], None], *, twilio_is_here: bool = False
) -> Iterator[tuple["HttpServer", Settings]]:
    """Answer HTTP; give the server and the settings in force.

    `twilio_is_here`: the sandbox stands in for Twilio, so that a public URL that is unset can be one of this machine.
    Twilio itself would refuse every message that names such a one (its error 21609).

    Raises:
        Unavailable: the port can't be had.
    """
    # FastAPI takes a quarter of a second to import: no other command is to wait for it.
    from producers.api.app import Api
    from producers.api.server import HttpServer

    with ExitStack() as stack:
        server = stack.enter_context(HttpServer(settings.api_host, settings.api_port))
        if twilio_is_here and settings.public_url is None:
            settings = settings.model_copy(update={"public_url": server.local_url})
        url = required(settings.database_url)
        database = Database(url, size=CONNECTIONS, name="cadenza api", options=LIMITS, patience=PATIENCE)
        stack.callback(database.close)
        wakeups = Wakeups(required(settings.redis_url))
        stack.callback(wakeups.close)
        api = Api(settings, database, wakeups, require_migrated)
        stack.callback(api.close)
        server.serve(api)
        stack.callback(server.close)
        yield server, settings
