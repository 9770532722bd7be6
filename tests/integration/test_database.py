"""Connections: how long is waited for them, and how soon one is missed that was cut off."""

import socketserver
from collections.abc import Iterator
from threading import Thread

import pytest

from engine.database import NOTICE_SILENCE, Database
from engine.errors import Unavailable

PATIENCE = 0.5
TRIES = 6


class Deaf(socketserver.ThreadingTCPServer):
    """Hangs up on everybody."""

    attempts = 0

    def process_request(self, request: object, client_address: object) -> None:
        self.attempts += 1
        self.shutdown_request(request)  # type: ignore[arg-type]


@pytest.fixture
def deaf() -> Iterator[Deaf]:
    with Deaf(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_server_that_is_away_is_tried_anew_whenever_it_is_needed(deaf: Deaf) -> None:
    """However long it has been away: the pool's own pauses would double each time."""
    database = Database(f"postgresql://nobody@127.0.0.1:{deaf.server_address[1]}/x", patience=PATIENCE)
    for _ in range(TRIES):
        with pytest.raises(Unavailable, match=r"no connection within 0\.5 seconds"), database.transaction():
            pass
    database.close()
    assert deaf.attempts >= TRIES - 1


def test_a_server_that_is_cut_off_is_missed_before_long(database: Database) -> None:
    with database.transaction() as session:
        parameters = session.info.get_parameters()
    assert {name: int(parameters[name]) for name in NOTICE_SILENCE} == NOTICE_SILENCE
    with database.connect() as session:
        assert session.info.get_parameters()["tcp_user_timeout"] == "60000"


def test_no_session_compiles_statements(database_url: str) -> None:
    """Whatever is asked for elsewhere: the embedded server has it off."""
    database = Database(f"{database_url}?options=-c%20jit%3Don")
    with database.transaction() as session:
        assert session.execute("SHOW jit").fetchone() == ("off",)
    database.close()
