"""The verdict on a storm: what of the promises did not hold."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from deploy.audit import Audit, Kind, judge
from deploy.audit.book import Book, Row
from deploy.audit.match import Matched, match
from deploy.audit.read_book import read_book
from deploy.chaos.history import Move, read_moves
from deploy.chaos.people import Person
from deploy.sandbox.ledger import read_ledger
from engine.database import Database
from schema.states import BLOCKING, AttemptOutcome, RowStatus

#: Under at_least_once an email without an answer is sent once more, and then no more.
TWICE: Final = 2

GUARANTEES: Final = "SELECT id, coalesce(smtp_guarantee, 'at_most_once') FROM workspaces"

#: Whom nothing must be sent to any more, and whose enrollment ended early: with the workspace and the external id.
SUPPRESSED: Final = """
SELECT w.key, c.external_id FROM suppressions s JOIN workspaces w ON w.id = s.workspace_id
JOIN contacts c ON c.workspace_id = s.workspace_id AND c.phone = s.address WHERE s.channel = 'sms'
"""
LEFT_EARLY: Final = """
SELECT w.key, c.external_id FROM enrollments e JOIN workspaces w ON w.id = e.workspace_id
JOIN contacts c ON c.id = e.contact_id WHERE e.status = 'cancelled'
"""
ENROLLED: Final = """
SELECT w.key, c.external_id, count(*) FROM enrollments e JOIN workspaces w ON w.id = e.workspace_id
JOIN contacts c ON c.id = e.contact_id GROUP BY 1, 2
"""


class Sort(StrEnum):
    """What is promised of a message depends on its sort."""

    SMS = "SMS"
    AT_MOST_ONCE = "email at_most_once"
    AT_LEAST_ONCE = "email at_least_once"


@dataclass(frozen=True, slots=True)
class Review:
    """Rows that an operator is to decide on, for one reason."""

    sort: Sort
    reason: str
    rows: int
    accepted: int
    """So many of them were accepted by the provider, which nobody could know."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the audit and the other questions found."""

    audit: Audit
    duplicated: Mapping[Sort, int]
    """Rows that were accepted more than once."""
    reviews: Sequence[Review]
    broken: Sequence[str]
    """What did not hold, in words; nothing: all did."""
    rows: Sequence[int]
    """The first rows that it did not hold of."""

    @property
    def holds(self) -> bool:
        """Whether all that is promised held."""
        return not self.broken

    def to_json(self) -> dict[str, Any]:
        """As a document."""
        return {
            "holds": self.holds,
            "broken": list(self.broken),
            "lost": self.audit.counts[Kind.LOST],
            "duplicated": {sort.value: self.duplicated.get(sort, 0) for sort in Sort},
            "in_review": [asdict(review) for review in self.reviews],
            "audit": self.audit.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Heard:
    """Who was to be enrolled, and what the webhook answered to whom."""

    people: Sequence[Person]
    stopped: Collection[Person]
    """Whose STOP was answered with success."""
    forged: int
    """Forged replies that were answered with success."""
    idle: Collection[int] = ()
    """Worker processes that did nothing any more when all was quiet."""


def reach_verdict(database: Database, ledger: Path, heard: Heard) -> Verdict:
    """Ask everything that can be asked once nothing moves."""
    book = read_book(database)
    entries = sorted(read_ledger(ledger), key=lambda entry: entry.at)
    found = judge(book, entries)
    matched = match(book, entries)
    with database.transaction() as session:
        guarantees = {row[0]: row[1] for row in session.execute(GUARANTEES)}
    sorts = {row.id: _sort(row, guarantees) for row in book.rows}
    twice = {row: len(accepted) for row, accepted in matched.of_row.items() if len(accepted) > 1}
    allowed = {row for row, times in twice.items() if sorts[row] is Sort.AT_LEAST_ONCE and times <= TWICE}
    moves = read_moves(database)
    unexplained = [row.id for row in book.rows if not _explained(book, row, moves[row.id])]
    unsettled = [row.id for row in book.rows if row.status in BLOCKING]
    broken = [*_counted(found, len(twice) - len(allowed)), *_of_people(database, heard)]
    if unexplained:
        broken.append(f"{len(unexplained)} rows in review that nothing has put in doubt")
    if unsettled:
        broken.append(f"{len(unsettled)} rows that were not settled in time")
    named = [v.row for kind in Kind for v in found.examples.get(kind, []) if v.row is not None and v.row not in allowed]
    return Verdict(
        audit=found,
        duplicated=Counter(sorts[row] for row in twice),
        reviews=_reviews(book, matched, sorts),
        broken=broken,
        rows=list(dict.fromkeys([*named, *unexplained, *unsettled])),
    )


def _counted(found: Audit, twice: int) -> Iterator[str]:
    """Violations by kind; `twice` are the rows that must not have been accepted more than once."""
    for kind in Kind:
        count = twice if kind is Kind.DUPLICATED else found.counts[kind]
        if count:
            yield f"{count} {kind}"


def _of_people(database: Database, heard: Heard) -> Iterator[str]:
    """Who was enrolled, and who was heard."""
    with database.transaction() as session:
        enrolled = {(key, name): count for key, name, count in session.execute(ENROLLED)}
        suppressed = set(session.execute(SUPPRESSED).fetchall())
        left_early = set(session.execute(LEFT_EARLY).fetchall())
    planned = Counter((person.workspace, person.name) for person in heard.people)
    if missing := planned - Counter(enrolled):
        yield f"{missing.total()} enrollments that are missing"
    if more := Counter(enrolled) - planned:
        yield f"{more.total()} enrollments too many"
    stopped = {(person.workspace, person.name) for person in heard.stopped}
    if unheard := stopped - suppressed:
        yield f"{len(unheard)} STOPs that were answered and forgotten"
    if invented := (suppressed | left_early) - stopped:
        yield f"{len(invented)} people taken for stopped who had not said so"
    if heard.idle:
        yield f"{len(heard.idle)} worker processes that did nothing any more"
    if heard.forged:
        yield f"{heard.forged} forged replies that were accepted"


def _explained(book: Book, row: Row, moves: Sequence[Move]) -> bool:
    """Whether a row in review was in doubt, and nobody has learned of its acceptance since."""
    if row.status != RowStatus.REVIEW:
        return True
    known = any(attempt.outcome == AttemptOutcome.ACCEPTED for attempt in book.attempts_of.get(row.id, []))
    return not known and any(move.status == RowStatus.UNKNOWN for move in moves)


def _sort(row: Row, guarantees: Mapping[int, str]) -> Sort:
    return Sort.SMS if row.type == "sms" else Sort(f"email {guarantees[row.workspace_id]}")


def _reviews(book: Book, matched: Matched, sorts: Mapping[int, Sort]) -> Sequence[Review]:
    counts: dict[tuple[Sort, str], Counter[bool]] = {}
    for row in book.rows:
        if row.status == RowStatus.REVIEW:
            counts.setdefault((sorts[row.id], row.reason or ""), Counter())[row.id in matched.of_row] += 1
    return [Review(sort, reason, count.total(), count[True]) for (sort, reason), count in sorted(counts.items())]
