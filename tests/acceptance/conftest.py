"""The small world (tests/support/world.py), for these tests too."""

from world import world

__all__ = ["world"]
