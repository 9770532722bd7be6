"""What is asked of a storm, and what it showed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.chaos.kinds import Kind
from deploy.chaos.recovery import MEANING, Recovery
from deploy.chaos.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Options:
    """What may be asked of a storm."""

    seed: int
    rows: int
    seconds: float
    processes: int
    """Worker processes of each supervisor."""

    @property
    def command(self) -> str:
        """How to run it again."""
        arguments = f"--seed {self.seed} --rows {self.rows} --seconds {self.seconds:g} --processes {self.processes}"
        return f'make chaos ARGS="{arguments}"'


@dataclass(frozen=True, slots=True)
class Ends:
    """How it ended."""

    starts: int
    """How often supervisors and API were started."""
    quiet_seconds: float
    """From the end of the storm until nothing moved."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that a storm showed."""

    options: Options
    people: int
    planned: int
    """Faults."""
    missed: int
    """Faults that found nothing to strike."""
    verdict: Verdict
    recovery: Recovery
    recovery_by_kind: Mapping[Kind, Recovery]
    stories: Sequence[str]
    """Of the first rows that a promise did not hold of."""
    repeats: int
    """Enroll events that had to be repeated."""
    stops: int
    """STOPs that were answered."""
    forged: int
    """Forged replies that were answered, with a refusal if all is well."""
    ends: Ends

    def to_json(self) -> dict[str, Any]:
        """As a document."""
        return {
            "seed": self.options.seed,
            "seconds": self.options.seconds,
            "again": self.options.command,
            "rows": self.verdict.audit.rows,
            "people": self.people,
            "faults": {kind.value: found.faults for kind, found in self.recovery_by_kind.items()},
            "faults_planned": self.planned,
            "faults_missed": self.missed,
            "enroll_events_repeated": self.repeats,
            "stops_answered": self.stops,
            "forged_replies_refused": self.forged,
            "starts": self.ends.starts,
            "quiet_seconds": round(self.ends.quiet_seconds, 1),
            "time_to_recover": {
                "meaning": MEANING,
                **self.recovery.to_json(),
                "by_fault": {kind.value: found.to_json() for kind, found in self.recovery_by_kind.items()},
            },
            **self.verdict.to_json(),
            "stories": list(self.stories),
        }
