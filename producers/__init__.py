"""Everything that puts work in."""

from producers.enroller import enroll

__all__ = ["enroll"]
