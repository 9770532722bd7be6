"""Pauses and resumes an enrollment, a sequence or a workspace alike."""

from world import World

from engine.wakeups import Wakeups
from producers.operator import Operator
from producers.pausing import Paused, pause_all, pause_enrollment, resume_all, resume_one

WHO = Operator("default", "ann", "holidays")


class Pauser:
    """Pauses and resumes one kind of thing."""

    def __init__(self, world: World, wakeups: Wakeups, scope: str) -> None:
        """Of the test's enrollment, the sequence `follow-up`, or the whole workspace."""
        self.world, self.wakeups, self.scope = world, wakeups, scope

    def pause(self, enrollment: int = 1) -> Paused:
        """Pause it."""
        if self.scope == "enrollment":
            return pause_enrollment(self.world.database, WHO, enrollment)
        return pause_all(self.world.database, WHO, "follow-up" if self.scope == "sequence" else None)

    def resume(self, enrollment: int = 1, *, keep_times: bool = False) -> bool:
        """Resume it; tell whether it was paused."""
        arguments = (self.world.database, self.wakeups, WHO)
        if self.scope == "enrollment":
            return resume_one(*arguments, enrollment, keep_times=keep_times).changed
        sequence = "follow-up" if self.scope == "sequence" else None
        return resume_all(*arguments, sequence, keep_times=keep_times).changed
