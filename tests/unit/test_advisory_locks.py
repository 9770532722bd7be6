"""The advisory locks of a database: each is for one thing."""

from deploy.demo.ground import DEMO_LOCK
from schema.migrate import MIGRATION_LOCK
from workers.reconciler import LOCK
from workers.sweeper import LEADER_LOCK


def test_no_two_things_share_a_lock() -> None:
    assert len({MIGRATION_LOCK, LEADER_LOCK, LOCK, DEMO_LOCK}) == 4
