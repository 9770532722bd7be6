"""What became of the file of contacts in one sequence."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from producers.bulk.records import Reject
from producers.bulk.run import BulkReport
from schema.definition import Definition

#: The value in a reason, which differs from line to line.
_VALUE: Final = re.compile(r" '.*?'(?= (?:is|has|was)\b)")


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A sequence, how its enrollment went, and the lines that were rejected."""

    definition: Definition
    report: BulkReport
    rejects: Sequence[Reject]

    @property
    def planned(self) -> int:
        """The messages that were promised."""
        return self.report.enrolled * len(self.definition.steps)

    def reasons(self) -> list[tuple[str, list[int]]]:
        """The reasons in general, the most frequent first, each with its lines."""
        found: dict[str, list[int]] = {}
        for reject in self.rejects:
            reason = _VALUE.sub("", reject.reason, count=1).partition(":")[0]
            found.setdefault(reason, []).append(reject.line)
        return sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
