"""The promises, whatever the order of claims, crashes, sweeps, callbacks, STOPs, look-ups, restores and decisions.

The gate tries the same short histories every time. More and longer ones, other ones each time:
`make test ARGS="--hypothesis-profile=deep tests/integration/test_promises_in_any_order.py"`.
"""

from collections.abc import Iterator

import pytest
import redis
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from promises.ground import Ground
from promises.machine import Histories
from promises.stage import Site

from engine.database import Database
from engine.wakeups import Wakeups


@pytest.fixture
def site(database: Database, redis_url: str) -> Iterator[Site]:
    ground, wakeups, client = Ground(database), Wakeups(redis_url), redis.Redis.from_url(redis_url)
    yield Site(ground, wakeups, client)
    ground.close()
    wakeups.close()
    client.close()


@pytest.mark.timeout(0)
def test_the_promises_hold_in_any_order(site: Site) -> None:
    Histories.site = site
    profile = settings()
    run_state_machine_as_test(
        Histories, settings=settings(profile, max_examples=profile.max_examples // 4, stateful_step_count=40)
    )
