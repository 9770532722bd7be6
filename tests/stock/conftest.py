"""Tests against servers as Debian packages them: what the embedded ones can't show."""

from stage_site import site
from world import world

__all__ = ["site", "world"]
