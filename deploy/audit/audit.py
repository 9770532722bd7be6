"""The auditor: matches the ledger with the outbox, row by row, and tells all that does not fit."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from deploy.audit.book import Book, Row
from deploy.audit.checks import check_accepted, check_gate, check_not_accepted, check_notified, check_row
from deploy.audit.match import Matched, match
from deploy.audit.order import check_enrollment
from deploy.audit.read_book import read_book
from deploy.audit.verdict import Audit, Kind, Violation
from deploy.sandbox.ledger import Entry, read_ledger
from engine.database import Database


def audit(database: Database, ledger: Path, *, workspace_id: int | None = None) -> Audit:
    """Hold the ledger of a sandbox against the database, or against one workspace that alone has used that sandbox.

    It is to be done when nothing moves: what is due or on its way at that moment counts as lost.

    Raises:
        InvalidInput: the ledger can't be read.
    """
    book = read_book(database, workspace_id)
    return judge(book, sorted(read_ledger(ledger), key=lambda entry: entry.at))


def judge(book: Book, acceptances: Iterable[Entry]) -> Audit:
    """Hold acceptances, the oldest first, against the book."""
    matched = match(book, acceptances)
    found = Audit(
        rows=sum(row.is_message for row in book.rows),
        acceptances=sum(map(len, matched.of_row.values())) + len(matched.invented),
        accepted_once=sum(len(accepted) == 1 for accepted in matched.of_row.values()),
    )
    found.by_status.update(row.status for row in book.rows)
    for violation in _violations(book, matched):
        found.add(violation)
    return found


def _violations(book: Book, matched: Matched) -> Iterator[Violation]:
    for entry in matched.invented:
        yield Violation(Kind.INVENTED, f"an accepted {entry.channel} that no row explains", provider_id=entry.id)
    for _, rows in groupby(book.rows, lambda row: row.enrollment_id):
        yield from _enrollment(book, list(rows), matched)


def _enrollment(book: Book, steps: Sequence[Row], matched: Matched) -> Iterator[Violation]:
    for number, row in enumerate(steps):
        yield from check_row(book, row)
        accepted = matched.of_row.get(row.id)
        if accepted and row.is_message:
            yield from check_accepted(book, row, accepted)
        elif accepted:
            yield from check_notified(book, row, accepted)
        elif row.is_message:
            yield from check_not_accepted(book, row, steps[:number], steps)
        else:
            yield from check_gate(book, row, steps[:number], steps)
    yield from check_enrollment(book, steps, matched.of_row)
