"""The sequences of a run, and how the enrollments of the larger one stand."""

from dataclasses import dataclass
from typing import Final

GROWING_KEY: Final = "growing"

#: Ten steps: a task holds the last two up.
GROWING: Final = f"""
sequence: {GROWING_KEY}
name: Growing
steps:
  - key: hello
    type: sms
    body: "Hi {{{{ contact.first_name | default: 'there' }}}}, thanks for looking at our {{{{ custom.plan }}}} plan."
  - {{key: welcome, type: email, delay: 1 day, subject: Welcome, text: "Welcome, {{{{ contact.first_name }}}}"}}
  - {{key: remind, type: sms, delay: 2 days, body: "Hi {{{{ contact.first_name }}}}"}}
  - {{key: details, type: email, delay: 2 days, subject: Details, text: "Hello {{{{ contact.first_name }}}}"}}
  - {{key: ask, type: sms, delay: 3 days, body: "Hi {{{{ contact.first_name }}}}"}}
  - {{key: story, type: email, delay: 3 days, subject: A story, text: "Hello {{{{ contact.first_name }}}}"}}
  - {{key: offer, type: sms, delay: 3 days, body: "Hi {{{{ contact.first_name }}}}"}}
  - {{key: ring, type: call, delay: 1 day}}
  - {{key: thanks, type: email, delay: 1 day, subject: Thanks, text: "Thanks, {{{{ contact.first_name }}}}"}}
  - {{key: last, type: sms, delay: 7 days, body: "Bye {{{{ contact.first_name }}}}"}}
"""

STEPS: Final = 10

#: The step that is a task, by its number.
TASK_STEP: Final = 8


def moving(key: str, steps: int) -> str:
    """A sequence whose versions differ by their number of steps; nothing of it is due soon."""
    return f"sequence: {key}\nname: Moving\nsteps:\n" + "\n".join(
        f"  - {{key: step-{number}, type: sms, delay: {30 + number} days, body: Hi}}" for number in range(steps)
    )


@dataclass(frozen=True, slots=True)
class Share:
    """Enrollments that stand alike."""

    percent: int
    status: str
    """Of the enrollment."""
    ended_steps: int
    """Steps that have ended, from the first on; the next one is due in the future, or is the task that is open."""
    days_ago: tuple[int, int]
    """When they were enrolled, from and to."""


#: Of all enrollments: most have come to their end, within the last 18 months.
SHARES: Final = (
    Share(70, "completed", STEPS, (30, 540)),
    Share(5, "cancelled", 3, (30, 540)),
    Share(5, "active", TASK_STEP - 1, (16, 20)),
    Share(8, "active", 1, (0, 0)),
    Share(6, "active", 3, (3, 4)),
    Share(6, "active", 5, (8, 10)),
)
