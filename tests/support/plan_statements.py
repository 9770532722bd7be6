"""The statements that run for many rows, each with what it is given: ten rows, or the rows of ten enrollments."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from engine.outbox import (
    actions,
    advance,
    aside,
    begin,
    claim,
    decide,
    doubt,
    evidence,
    facts,
    goals,
    last_look,
    leave,
    leave_many,
    listing,
    pause,
    plan,
    plan_by_calendar,
    postpone,
    reentry,
    replan,
    resolve,
    resume,
    settle,
    sweep,
)
from producers import undeliverable

MANY: Final = 10


@dataclass(frozen=True)
class Statement:
    """A statement as the engine has it."""

    name: str
    text: str
    parameters: dict[str, Any]
    gives: int | None = None
    """Rows that it gives, so that it is known to have done its work; None: it depends on the workspace."""
    each: int = 80
    """Pages that it may touch for each row or enrollment that it is given."""
    kept: bool = True
    """Workers run it, and keep its plan."""


def _second(enrollment: int) -> int:
    """The id of an enrollment's second row."""
    return 5 * (enrollment - 1) + 2


def _of(first: int, order: int = 2) -> list[int]:
    return [_second(first + number) + order - 2 for number in range(MANY)]


DUE: Final = _of(30_001)
SENDING: Final = _of(1)
DOUBTFUL: Final = _of(81)
RUNNING: Final = list(range(30_001, 30_001 + MANY))
PAUSED: Final = list(range(121, 121 + MANY))
ONES: Final = [1] * MANY
NULLS: Final = [None] * MANY
TEXTS: Final = ["x"] * MANY
LATER: Final = [4_000_000_000.0] * MANY
NOW: Final = datetime.now(UTC)

_ENDINGS: Final = {
    "ids": SENDING,
    "fences": ONES,
    "statuses": ["failed"] * MANY,
    "reasons": TEXTS,
    "tries": ONES,
    "delays": [None] * MANY,
    "outcomes": ["refused"] * MANY,
    "provider_ids": NULLS,
    "error_codes": NULLS,
    "details": NULLS,
}
_PLAN: Final = {
    "workspace": 1,
    "sequence": 2,
    "version": 2,
    "reentry": "after_exit",
    "batch": 7,
    "data": "{}",
    "now": NOW,
    "contacts": RUNNING,
    "orders": [1, 2],
    "keys": ["a", "b"],
    "types": ["sms", "sms"],
    "offsets": [0.0, 60.0],
}
_RESUME: Final = {"keep_times": False, "hold": 0, "shut": "shut"}
_LIST: Final = {"workspace": 1, "statuses": ["active", "cancelled"], "after": 0, "limit": MANY}
_SELF: Final = {"enrollment": 30_001}
_SOON: Final = {"messages": ["sms", "email"], "soon": 10.0, "aside": 60.0}

STATEMENTS: Final = [
    Statement("claim", claim.CLAIM, {"ids": DUE}, MANY),
    Statement("left alone", claim.LEFT_ALONE, {"ids": _of(30_001, 3)}, MANY),
    Statement(
        "begin",
        begin.BEGIN,
        {
            "ids": DUE,
            "fences": ONES,
            "recipients": TEXTS,
            "payloads": ["{}"] * MANY,
            "latenesses": LATER,
            "lease": 60.0,
        },
        1,
    ),
    Statement("still good", last_look.STILL_GOOD, {"ids": SENDING, "fences": ONES}, MANY),
    Statement("settle", settle.SETTLE, _ENDINGS, MANY),
    Statement(
        "settle accepted",
        settle.SETTLE_ACCEPTED,
        {"ids": SENDING, "fences": ONES, "provider_ids": TEXTS, "details": NULLS},
        MANY,
    ),
    Statement(
        "suppress",
        settle.SUPPRESS,
        {"ids": SENDING, "fences": ONES, "reasons": ["stop"] * MANY, "codes": TEXTS, "their_own": ["stop"]},
        0,
    ),
    Statement("exit at the end", settle.EXIT, {"enrollments": RUNNING, "reasons": TEXTS}, 0, each=150),
    Statement("pause a channel", pause.PAUSE, {"rows": DUE}, 0),
    Statement("end leases", sweep.END_LEASES, {"limit": MANY}, MANY),
    Statement("first steps", sweep.FIRST_STEPS, {"enrollments": RUNNING}, 2),
    Statement("postpone", postpone.POSTPONE, {"ids": DUE, "fences": ONES, "dues": LATER, "reasons": TEXTS}, MANY),
    Statement("behind", replan.BEHIND, {"enrollments": RUNNING, "orders": [2] * MANY}, MANY),
    Statement("replan enrollments", replan.ENROLLMENTS, {"enrollments": RUNNING}, MANY),
    Statement("replan", replan.MOVE, {"ids": _of(30_001, 3), "dues": LATER, "shut": "shut"}, MANY),
    Statement(
        "advance",
        advance.CHANGE,
        {
            **_SELF,
            "orders": [4, 5],
            "was": ["waiting", "waiting"],
            "statuses": ["pending", "pending"],
            "due": [LATER[0], LATER[0]],
            "reasons": ["x", "x"],
            "restored": "restored",
        },
        2,
    ),
    Statement("complete", advance.COMPLETE, _SELF, 0),
    Statement("leaving", leave.LEAVING, {"workspace": 1, "contacts": RUNNING, "reason": "replied", "all": False}),
    Statement("hold one", leave.HOLD_ONE, _SELF, 1),
    Statement("hold rows", leave.HOLD_ROWS, {"enrollments": RUNNING}, 4 * MANY),
    Statement("end enrollments", leave.END, {"enrollments": RUNNING, "reason": "replied"}, 0),
    Statement("cancel", leave.CANCEL, {"enrollments": RUNNING, "reason": "replied"}, 0),
    Statement("cancel returned", leave.RETURNED, {"rows": DUE}, 0),
    Statement("leave many", leave_many.LEAVING, {"enrollments": RUNNING}, MANY),
    Statement("resume one", resume.ONE, {**_RESUME, "enrollment": 121, "workspace": 22}, kept=False),
    Statement("resume many", resume.MANY, {**_RESUME, "enrollments": PAUSED, "sequence": 1, "last": 1}, 0, kept=False),
    Statement(
        "resolve",
        resolve.RESOLVE,
        {
            "ids": DOUBTFUL,
            "fences": [2] * MANY,
            "statuses": ["sent"] * MANY,
            "reasons": NULLS,
            "provider_ids": TEXTS,
            "by": "engine",
            "because": None,
        },
        MANY,
    ),
    Statement("held up", resolve.HELD_UP, {"ids": DOUBTFUL}, MANY),
    Statement("reopen", resolve.REOPEN, {"enrollments": RUNNING}, 0),
    Statement("evidence", resolve.EVIDENCE, {"row": SENDING[0], "fence": 1, "provider_id": "SM1", "detail": "x"}, 0),
    Statement("numbers reached", undeliverable.FORGET, {"workspaces": ONES, "addresses": TEXTS}, 0),
    Statement("list of a workspace", listing.page_query(sequence=False), _LIST, kept=False),
    Statement("list of a sequence", listing.page_query(sequence=True), {**_LIST, "sequence": 1}, kept=False),
    Statement("forgotten", resolve.FORGOTTEN, {"row": DUE[0], "fence": 1, "provider_id": "SM1", "detail": "x"}, 0),
    Statement("late words", evidence.LATE, {"ids": SENDING, "fences": ONES, "provider_ids": TEXTS}, MANY),
    Statement("proven", evidence.PROVEN, {"ids": DOUBTFUL}, 0),
    Statement(
        "doubtful",
        doubt.DOUBTFUL,
        {"channels": ["sms"], "errors": ["500"], "grace": 0.0, "interval": 1.0, "limit": MANY},
        MANY,
    ),
    Statement("taken ids", doubt.TAKEN, {"recipient": "+12015550081", "ids": ["SM1"], "row": 1, "fence": 1}),
    Statement("open attempts", doubt.OPEN, {"recipient": "+12015550081", "row": 1, "restored": "restored"}, each=150),
    Statement("plan", plan.PLAN, _PLAN),
    Statement("plan once", plan.PLAN_ANEW, {**_PLAN, "reentry": "once"}),
    Statement(
        "plan groups",
        plan_by_calendar.PLAN_GROUPS,
        {
            **_PLAN,
            "groups": ONES,
            "idle": [0],
            "numbers": [1, 1],
            "statuses": ["pending", "pending"],
            "reasons": ["x", "x"],
        },
    ),
    Statement(
        "alike",
        plan_by_calendar.ALIKE,
        {"workspace": 1, "contacts": RUNNING, "attributes": ["a"], "phones": True, "prefix": 5, "wide": ["+61%"]},
    ),
    Statement("make way", reentry.RELEASE, {"contacts": RUNNING, "sequence": 1}, 0),
    Statement("hold contacts to enroll", reentry.HOLD, {"workspace": 1, "contacts": RUNNING}),
    Statement("hold contacts", decide.HOLD_CONTACTS, {"contacts": RUNNING}, MANY),
    Statement("hold all", decide.HOLD_ALL, {"contacts": RUNNING}, MANY),
    Statement("awaited", decide.AWAITED, {"contacts": RUNNING, "new": [1]}, 0),
    Statement("watching", decide.WATCHING, {"enrollments": RUNNING}, 0),
    Statement("watched", decide.WATCHED, {"row": DUE[0]}, 0),
    Statement("goals", goals.ASKED, {"enrollments": RUNNING}, 0),
    Statement("hold contacts of goals", goals.HOLD_CONTACTS, {"enrollments": RUNNING}, MANY),
    Statement("hold enrollments", goals.HOLD, {"enrollments": RUNNING}, MANY),
    Statement("facts: steps", facts.STEPS, {"enrollments": RUNNING}, 5 * MANY),
    Statement("facts: signals", facts.SIGNALS, {"enrollments": RUNNING}, 0),
    Statement("facts: contacts", facts.CONTACTS, {"enrollments": RUNNING}, MANY),
    Statement("actions: leave", actions.LEAVE, {"enrollments": RUNNING, "reason": "exit"}, MANY),
    Statement("set aside", aside.SET_ASIDE, {"enrollments": RUNNING, **_SOON}, MANY, kept=False),
    Statement("give back", aside.GIVE_BACK, {"ids": DUE, "retries": [NOW] * MANY}, 0, kept=False),
]
