"""The small world (tests/support/world.py) and the site with workers and a sandbox, for these tests too."""

from stage_site import site
from world import world

__all__ = ["site", "world"]
