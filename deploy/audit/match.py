"""Which row and attempt each acceptance in the ledger belongs to."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from deploy.audit.book import Attempt, Book, Row
from deploy.sandbox.ledger import Entry
from producers.contact_erasing import ERASED
from schema.mailbox import read_sender
from schema.states import AttemptOutcome

Content: TypeAlias = tuple[str | None, str | None, tuple[str, ...]]
"""Of a text message: the recipient, the body and the media."""

#: Whose acceptance an unexplained text message most likely is, the likeliest first.
LIKELY: Final = (
    None,
    AttemptOutcome.UNANSWERED,
    AttemptOutcome.ACCEPTED,
    AttemptOutcome.DEFERRED,
    AttemptOutcome.HELD,
    AttemptOutcome.REFUSED,
)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A line of the ledger that says `accepted`, and what it belongs to."""

    entry: Entry
    place: int
    """Its place in the ledger, in order of time."""
    row: Row
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Matched:
    """What belongs to which row, and what belongs to none."""

    of_row: Mapping[int, Sequence[Acceptance]]
    invented: Sequence[Entry]


def match(book: Book, entries: Iterable[Entry]) -> Matched:
    """Find the row of each acceptance.

    An email by its Message-ID, a text message by its SID; one whose SID nobody was told of by its recipient, body and
    media: it belongs to an attempt that went unanswered, else to any with the same content.
    """
    of_row: dict[int, list[Acceptance]] = defaultdict(list)
    by_id = _by_provider_id(book)
    invented: list[Entry] = []
    untold: list[tuple[int, Entry]] = []
    told: set[tuple[int, int]] = set()
    for place, entry in enumerate(entries):
        attempts = by_id.get((entry.channel, entry.id), []) if entry.id is not None else []
        if attempts:
            attempt = _latest_before(attempts, entry.at)
            if _is_copy(entry, attempt, of_row[attempt.row_id]):
                continue
            told.add((attempt.row_id, attempt.fence))
            of_row[attempt.row_id].append(Acceptance(entry, place, book.row_of[attempt.row_id], attempt))
        elif entry.channel == "sms":
            untold.append((place, entry))
        else:
            invented.append(entry)
    by_content = _by_content(book) if untold else {}
    for place, entry in untold:
        alike = by_content.get((entry.to, entry.body, entry.media), [])
        if not alike:
            invented.append(entry)
            continue
        free = [attempt for attempt in alike if (attempt.row_id, attempt.fence) not in told]
        attempt = min(free, key=lambda candidate: _unlikeliness(candidate, entry.at)) if free else alike[-1]
        told.add((attempt.row_id, attempt.fence))
        of_row[attempt.row_id].append(Acceptance(entry, place, book.row_of[attempt.row_id], attempt))
    return Matched({row_id: sorted(found, key=lambda one: one.place) for row_id, found in of_row.items()}, invented)


def _is_copy(entry: Entry, attempt: Attempt, before: Iterable[Acceptance]) -> bool:
    """Return whether it went to a Cc of the email: a ledger has a line for each recipient.

    Of an erased contact the addresses are gone: another recipient than that of the line `before` is a copy.
    """
    if attempt.recipient == ERASED:
        return any(one.attempt is attempt and one.entry.to != entry.to for one in before)
    copies = {read_sender(mailbox).address for mailbox in attempt.payload.get("cc", ())}
    return entry.to != attempt.recipient and entry.to in copies


def _by_provider_id(book: Book) -> dict[tuple[str, str], list[Attempt]]:
    """Return attempts by channel and provider's id. Of emails, notifications too, it is known before the answer."""
    found: dict[tuple[str, str], list[Attempt]] = defaultdict(list)
    for attempt in book.attempts:
        if attempt.row_id not in book.row_of:
            continue
        message_id = attempt.payload.get("message_id")
        channel = attempt.channel if message_id is None else "email"
        known = message_id if channel == "email" else attempt.provider_id
        if known is not None:
            found[channel, known].append(attempt)
    return found


def _by_content(book: Book) -> dict[Content, list[Attempt]]:
    found: dict[Content, list[Attempt]] = defaultdict(list)
    for attempt in book.attempts:
        if attempt.channel == "sms" and attempt.row_id in book.row_of:
            found[sms_content(attempt)].append(attempt)
    return found


def sms_content(attempt: Attempt) -> Content:
    """What the attempt handed over."""
    return attempt.recipient, attempt.payload.get("body"), tuple(attempt.payload.get("media_urls", ()))


def _latest_before(attempts: Sequence[Attempt], at: float) -> Attempt:
    """The attempt that was running then; the first if the ledger's clock says that none had begun."""
    return max(
        (attempt for attempt in attempts if attempt.started_at <= at),
        key=lambda attempt: attempt.started_at,
        default=attempts[0],
    )


def _unlikeliness(attempt: Attempt, at: float) -> tuple[bool, int, float]:
    outcome = None if attempt.outcome is None else AttemptOutcome(attempt.outcome)
    return attempt.started_at > at, LIKELY.index(outcome), abs(at - attempt.started_at)
