"""Wake-ups: hints in Redis that tell a worker to look at an outbox row. Never the truth: all may be lost."""

from engine.wakeups.wakeups import Due, Promotion, Wakeups, WakeupsUnavailable

__all__ = ["Due", "Promotion", "Wakeups", "WakeupsUnavailable"]
