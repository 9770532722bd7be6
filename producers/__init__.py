"""Everything that puts work in."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from producers.enroller import enroll

__all__ = ["enroll"]


def __getattr__(name: str) -> object:
    """`enroll`, and what it stands on, is read when it is asked for: most of what is in here can do without."""
    if name in __all__:
        from producers.enroller import enroll

        return enroll
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
