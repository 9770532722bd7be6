"""Time to recover: how long after a fault the rows were settled that were due while it lasted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from deploy.bench.measure import percentile
from deploy.chaos.history import Wait
from deploy.chaos.kinds import Kind
from deploy.chaos.strikes import Struck

MEANING: Final = (
    "Time to recover: of each row that was due while a fault lasted, or when it struck, the real seconds from the end"
    " of that fault until the row was settled; 0 if it was settled before. The faults that followed are in it, and so"
    " are the waits that are promised: lease, grace time, look-ups."
)


@dataclass(frozen=True, slots=True)
class Recovery:
    """After faults of one kind, or of all. Real seconds."""

    faults: int
    waits: Sequence[float]
    """One for each fault and each row that was due during it."""

    def share(self, share: float) -> float:
        """A percentile of them; 0 when no row was due."""
        return percentile(self.waits, share) if self.waits else 0.0

    def to_json(self) -> dict[str, Any]:
        """As a document."""
        return {
            "faults": self.faults,
            "rows": len(self.waits),
            "p50_seconds": round(self.share(0.5), 3),
            "p99_seconds": round(self.share(0.99), 3),
            "max_seconds": round(self.share(1.0), 3),
        }


def recovery(struck: Sequence[Struck], waits: Sequence[Wait]) -> Recovery:
    """How long it took after these faults."""
    return Recovery(
        len(struck),
        [
            max(0.0, wait.settled - ended)
            for one in struck
            for wait in waits
            if (ended := one.began if one.ended is None else one.ended) >= wait.due and wait.settled >= one.began
        ],
    )


def recovery_by_kind(struck: Sequence[Struck], waits: Sequence[Wait]) -> dict[Kind, Recovery]:
    """How long it took after faults of each kind that came about."""
    kinds = [kind for kind in Kind if any(one.fault.kind is kind for one in struck)]
    return {kind: recovery([one for one in struck if one.fault.kind is kind], waits) for kind in kinds}
