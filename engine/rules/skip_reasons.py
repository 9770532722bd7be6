"""Every reason for which a step is skipped, as it stands in `outbox.reason`. The audit knows each of them."""

import re
from enum import StrEnum
from typing import Final

from engine.rules.calendar.opening import NEVER_OPENS
from engine.rules.ending import TOO_LATE


class SkipKind(StrEnum):
    """Why a step is skipped."""

    BRANCH = "branch"
    """It is on a branch that is not taken (engine/rules/planner.py)."""
    VERSION = "version"
    """The version in which the enrollment goes on has no such step ahead (engine/rules/landing.py)."""
    DELETED = "deleted"
    """An operator deleted it from the enrollment (engine/outbox/alter.py)."""
    SUPPRESSED = "suppressed"
    """The recipient must not be contacted (workers/delivery/prepare.py)."""
    NO_ADDRESS = "no address"
    """The contact has no phone or no email (workers/delivery/prepare.py)."""
    NO_DATE = "no date"
    """The attribute that its time depends on is not set, or is no date (engine/rules/calendar/due.py)."""
    DATE_PASSED = "date passed"
    """The date that its time depends on had passed (engine/rules/calendar/due.py)."""
    NEVER_OPENS = "never opens"
    """Its window and quiet hours leave no time to send it (engine/rules/calendar/opening.py)."""
    TOO_LATE = "too late"
    """It is later than its limit (engine/rules/ending.py, workers/delivery/hours.py)."""
    BY_OPERATOR = "by an operator"
    """`cadenza skip`, `cadenza review ROW skip` (engine/outbox/steer.py, producers/review.py)."""
    BY_PERSON = "by a person"
    """`cadenza task skip` (producers/tasks/acts.py)."""


PATTERNS: Final = {
    SkipKind.BRANCH: re.compile(
        r"branch (?P<branch>\S+) not taken: (?P<gate>\S+) (?:came to (?P<outcome>.+)|is (?P<status>\S+))"
    ),
    SkipKind.VERSION: re.compile(
        r"version \d+(?: has no such step|: it comes before the step at which the enrollment went on)"
    ),
    SkipKind.DELETED: re.compile("deleted"),
    SkipKind.SUPPRESSED: re.compile(r"suppressed: (?P<why>.+)", re.DOTALL),
    SkipKind.NO_ADDRESS: re.compile("the contact has no (?:phone|email)"),
    SkipKind.NO_DATE: re.compile(r"the contact has no .+", re.DOTALL),
    SkipKind.DATE_PASSED: re.compile("which had passed"),
    SkipKind.NEVER_OPENS: re.compile(re.escape(NEVER_OPENS)),
    SkipKind.TOO_LATE: re.compile(TOO_LATE),
    SkipKind.BY_OPERATOR: re.compile("skipped by an operator"),
    SkipKind.BY_PERSON: re.compile(r"skipped by a person(?:: .+)?", re.DOTALL),
}


def skip_kind(reason: str | None) -> SkipKind | None:
    """Return what kind of reason it is; None: no step is skipped for it."""
    return next((kind for kind, pattern in PATTERNS.items() if pattern.fullmatch(reason or "")), None)
