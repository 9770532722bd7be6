"""The pytest plugin: its fixtures cost nothing before a test asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from deploy.testing.cadenza import Cadenza
    from deploy.testing.ground import Ground


@pytest.fixture(scope="session")
def cadenza_ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Servers and sandbox providers for the whole run."""
    from deploy.testing.ground import open_ground

    with open_ground(tmp_path_factory.mktemp("cadenza")) as ground:
        yield ground


@pytest.fixture
def cadenza(cadenza_ground: Ground) -> Iterator[Cadenza]:
    """Cadenza with a database of the test's own, workers, and a clock that the test moves."""
    from deploy.testing.cadenza import open_cadenza

    with open_cadenza(cadenza_ground) as cadenza:
        yield cadenza
