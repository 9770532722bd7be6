"""Who steers: a person, or a program for one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Operator:
    """Who asks for something, in which workspace, and why."""

    workspace: str
    name: str
    reason: str | None = None
