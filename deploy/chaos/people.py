"""The people of a storm: who is enrolled in what and when, and who writes back. A pure function of the seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

#: Each has steps of both channels, an hour apart.
SEQUENCES: Final[dict[str, str]] = {
    "texts-first": """
sequence: texts-first
exit_on: [unsubscribed]
steps:
  - {key: hello, type: sms, body: "Hello {{ contact.external_id }}"}
  - {key: letter, type: email, delay: 1 hour, subject: "For {{ contact.external_id }}", text: "As promised."}
  - {key: reminder, type: sms, delay: 1 hour, body: "Remember, {{ contact.external_id }}?"}
""",
    "mail-first": """
sequence: mail-first
exit_on: [unsubscribed]
steps:
  - {key: welcome, type: email, subject: "Welcome {{ contact.external_id }}", text: "Good to have you."}
  - {key: nudge, type: sms, delay: 1 hour, body: "Still there, {{ contact.external_id }}?"}
  - {key: offer, type: email, delay: 1 hour, subject: "An offer", text: "Only for {{ contact.external_id }}."}
""",
}

#: Steps in each of them.
STEPS: Final = 3

#: What a workspace of the storm has chosen for email; None: the setting decides, which is at_most_once.
WORKSPACES: Final[dict[str, str | None]] = {
    "default": None,
    "once": "at_most_once",
    "at-least-once": "at_least_once",
}

#: The part of the storm within which people are enrolled; and how long an hour takes, as a part of it.
ENROLLING: Final = 0.65
HOUR: Final = 0.12

#: Of a hundred people so many say STOP, in one way or another; write something else; are said to have said STOP.
STOPS: Final = ("STOP", "Stop.", "unsubscribe", "take me off your list")
OTHERS: Final = ("Thanks!", "don't stop")
SAY_STOP, SAY_ANYTHING, FORGED = 6, 4, 4


@dataclass(frozen=True, slots=True)
class Reply:
    """What somebody writes back, or is said to write. Real seconds from the beginning of the storm."""

    at: float
    text: str
    stops: bool
    forged: bool = False
    """Not signed by the provider: it must be refused."""


@dataclass(frozen=True, slots=True)
class Person:
    """One contact in one sequence. The same phone and address are known in every workspace."""

    name: str
    """The external id, unique in the storm."""
    phone: str
    email: str
    workspace: str
    sequence: str
    at: float
    """Real seconds from the beginning of the storm to the enrollment."""
    reply: Reply | None


def plan_people(seed: int, rows: int, seconds: float) -> Sequence[Person]:
    """The people of a storm with at least so many rows, in the order in which they are enrolled."""
    dice = Random(f"people {seed}")  # noqa: S311 (repeatable on purpose)
    number = -(-rows // STEPS)
    moments = sorted(dice.uniform(0.0, ENROLLING * seconds) for _ in range(number))
    return [_person(dice, count, at, seconds) for count, at in enumerate(moments)]


def _person(dice: Random, count: int, at: float, seconds: float) -> Person:
    workspaces = list(WORKSPACES)
    same, workspace = divmod(count, len(workspaces))
    return Person(
        name=f"{workspaces[workspace]}-{same}",
        phone=f"+1201{5_550_000 + same}",
        email=f"p{same}@example.com",
        workspace=workspaces[workspace],
        sequence=dice.choice(list(SEQUENCES)),
        at=at,
        reply=_reply(dice, at, seconds),
    )


def _reply(dice: Random, at: float, seconds: float) -> Reply | None:
    drawn = dice.uniform(0, 100)
    when = at + dice.uniform(0.0, 2 * HOUR * seconds)
    if drawn < SAY_STOP:
        return Reply(when, dice.choice(STOPS), stops=True)
    if drawn < SAY_STOP + SAY_ANYTHING:
        return Reply(when, dice.choice(OTHERS), stops=False)
    if drawn < SAY_STOP + SAY_ANYTHING + FORGED:
        return Reply(when, "STOP", stops=True, forged=True)
    return None
