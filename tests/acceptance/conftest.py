"""The small world (tests/support/world.py), for these tests too; and no command outlives its test."""

from collections.abc import Iterator

import pytest
from cli import Cli
from world import world

__all__ = ["world"]


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    yield
    Cli.end_all()
