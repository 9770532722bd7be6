"""What an audit finds. It names rows and providers' ids, and never an address or a text."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

#: At most so many violations of a kind are kept to be shown; all are counted.
EXAMPLES: Final = 20


class Kind(StrEnum):
    """What can be wrong."""

    LOST = "lost"
    """It should have gone out, and no provider accepted it."""
    DUPLICATED = "duplicated"
    """One row, accepted more than once."""
    INVENTED = "invented"
    """Accepted, and no row explains it."""
    EARLY = "early"
    """Handed over before it was due."""
    BARRED = "barred"
    """Handed over although its recipient was suppressed or its enrollment had ended."""
    OUT_OF_ORDER = "out of order"
    """Accepted before the step before it had ended."""
    WRONG = "wrong"
    """The two disagree: on whether it was accepted, on who got it or on what it said."""
    IN_DOUBT = "in doubt"
    """Accepted, but the row is still `unknown`: nobody here knows yet."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is wrong."""

    kind: Kind
    says: str
    row: int | None = None
    enrollment: int | None = None
    step: str | None = None
    provider_id: str | None = None
    """The SID or the Message-ID in the ledger."""

    def __str__(self) -> str:
        """One line."""
        where = [
            f"{name} {value}"
            for name, value in (
                ("row", self.row),
                ("enrollment", self.enrollment),
                ("step", self.step),
                ("accepted as", self.provider_id),
            )
            if value is not None
        ]
        return f"{self.kind}: {self.says} ({', '.join(where)})"

    def to_json(self) -> dict[str, Any]:
        """As a document, without its kind."""
        return {
            "says": self.says,
            "row": self.row,
            "enrollment_id": self.enrollment,
            "step": self.step,
            "provider_id": self.provider_id,
        }


@dataclass(slots=True)
class Audit:
    """The outcome of an audit."""

    rows: int = 0
    """Rows that are messages."""
    acceptances: int = 0
    """Messages that the providers accepted, one for each recipient."""
    accepted_once: int = 0
    """Rows that exactly one acceptance belongs to."""
    by_status: Counter[str] = field(default_factory=Counter)
    """Rows by their status."""
    counts: Counter[Kind] = field(default_factory=Counter)
    examples: dict[Kind, list[Violation]] = field(default_factory=dict)
    """The first violations of each kind."""

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong. Rows in `review` are not: they wait for a person."""
        return not self.counts.total()

    def add(self, violation: Violation) -> None:
        """Count a violation, and keep it if it is among the first of its kind."""
        self.counts[violation.kind] += 1
        kept = self.examples.setdefault(violation.kind, [])
        if len(kept) < EXAMPLES:
            kept.append(violation)

    def to_json(self) -> dict[str, Any]:
        """As a document."""
        return {
            "clean": self.clean,
            "rows": self.rows,
            "acceptances": self.acceptances,
            "accepted_once": self.accepted_once,
            "by_status": dict(self.by_status),
            "violations": {
                kind.value.replace(" ", "_"): {
                    "count": self.counts[kind],
                    "examples": [violation.to_json() for violation in self.examples.get(kind, [])],
                }
                for kind in Kind
            },
        }
