"""Probes: whether the process lives, and whether it can work."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pydantic import SecretStr
from twilio_side import TwilioSide, api
from world import World

from deploy.cli.processes import require_migrated
from deploy.cli.serving import serving
from engine.errors import Unavailable
from engine.settings import Settings

NOWHERE = SecretStr("postgresql://nobody@127.0.0.1:1/nothing")


def get(twilio: TwilioSide, path: str) -> tuple[int, dict[str, str]]:
    answer = twilio.send("GET", path)
    return answer.status, json.loads(answer.body)


@contextmanager
def changed(settings: Settings, **changes: object) -> Iterator[TwilioSide]:
    with api(settings.model_copy(update=changes), "x") as twilio:
        yield twilio


def test_it_lives_and_is_ready(settings: Settings) -> None:
    with changed(settings) as twilio:
        assert get(twilio, "/healthz") == (200, {"status": "ok"})
        assert get(twilio, "/readyz") == (200, {"status": "ready", "database": "ok", "redis": "ok"})


def test_without_redis_it_is_ready_and_says_so(settings: Settings) -> None:
    with changed(settings, redis_url=SecretStr("redis://127.0.0.1:1/0")) as twilio:
        assert get(twilio, "/readyz") == (200, {"status": "ready", "database": "ok", "redis": "away"})


def test_without_the_database_it_lives_and_is_not_ready(settings: Settings) -> None:
    with changed(settings, database_url=NOWHERE) as twilio:
        assert get(twilio, "/healthz")[0] == 200
        assert get(twilio, "/readyz") == (503, {"status": "not ready", "database": "Unavailable", "redis": "ok"})


def test_a_database_that_is_not_up_to_date_is_not_ready(settings: Settings, world: World) -> None:
    world.execute("UPDATE alembic_version SET version_num = '0001'")
    with changed(settings) as twilio:
        assert get(twilio, "/readyz") == (503, {"status": "not ready", "database": "NotMigrated", "redis": "ok"})


def test_a_port_that_is_taken_is_one_line(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(
                Unavailable, match=rf"^api: 127.0.0.1:{port}: Address already in use; choose another address"
            ),
            serving(settings.model_copy(update={"api_port": port}), require_migrated),
        ):
            pass


@pytest.mark.parametrize(("host", "local"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1")])  # noqa: S104
def test_twilio_on_this_machine_is_given_a_way_here(settings: Settings, host: str, local: str) -> None:
    asked = settings.model_copy(update={"api_host": host})
    with serving(asked, require_migrated, twilio_is_here=True) as (server, in_force):
        assert in_force.public_url == f"http://{local}:{server.port}"
        assert server.url == f"http://{host}:{server.port}"
    with serving(asked, require_migrated) as (_, in_force):
        assert in_force.public_url is None
