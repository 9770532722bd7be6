"""`producers.enroll`, as a backend service calls it."""

from typing import Any

import psycopg
import pytest

import producers
from engine.errors import InvalidInput
from engine.settings import Settings
from producers import enroller

ANN = {"email": "ann@example.com", "phone": "+12025550101"}


def test_it_enrolls_once_however_often_it_is_called(world: Any, settings: Settings) -> None:
    made = [producers.enroll("follow-up", **ANN, idempotency_key="k", settings=settings) for _ in range(3)]
    assert [one.created for one in made] == [True, False, False]
    assert len({one.enrollment_id for one in made}) == 1
    database, wakeups = enroller._servers(
        settings.database_url.get_secret_value(),  # type: ignore[union-attr]
        settings.redis_url.get_secret_value(),  # type: ignore[union-attr]
    )
    assert wakeups.counts()["waiting"] == 3
    database.close()
    wakeups.close()
    enroller._servers.cache_clear()


def test_it_joins_the_callers_transaction(world: Any, settings: Settings, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        producers.enroll("follow-up", **ANN, connection=connection, settings=settings)
        assert world.ids() == []
        connection.rollback()
        producers.enroll("follow-up", **ANN, connection=connection, settings=settings)
    assert len(world.ids()) == 3


def test_without_servers_it_says_what_to_set(world: Any) -> None:
    with pytest.raises(InvalidInput, match="CADENZA_DATABASE_URL"):
        producers.enroll("follow-up", **ANN)
