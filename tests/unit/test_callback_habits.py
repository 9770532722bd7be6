"""How the sandbox's callbacks misbehave."""

import pytest

from deploy.sandbox.callback_habits import Callback, CallbackHabits
from deploy.sandbox.webhook import Webhook

AS_USUAL = [
    Callback(1, Webhook("http://127.0.0.1/", {"MessageStatus": "sent"})),
    Callback(2, Webhook("http://127.0.0.1/", {"MessageStatus": "delivered"})),
]


def told(habits: CallbackHabits) -> list[tuple[float, str, bool]]:
    return [(one.after, one.webhook.form["MessageStatus"], one.webhook.forged) for one in habits.apply(AS_USUAL)]


SENT, DELIVERED = (1, "sent", False), (2, "delivered", False)
LATE_SENT, EARLY_DELIVERED = (2, "sent", False), (1, "delivered", False)
LIES = [(1, "failed", True), (2, "failed", True)]


@pytest.mark.parametrize(
    ("habits", "expected"),
    [
        (CallbackHabits(), [SENT, DELIVERED]),
        (CallbackHabits(reorder=True), [EARLY_DELIVERED, LATE_SENT]),
        (CallbackHabits(repeat=2), [SENT, SENT, DELIVERED, DELIVERED]),
        (CallbackHabits(forge=True), [LIES[0], SENT, LIES[1], DELIVERED]),
        (CallbackHabits(forge=True, reorder=True), [LIES[0], EARLY_DELIVERED, LIES[1], LATE_SENT]),
    ],
)
def test_what_is_posted(habits: CallbackHabits, expected: list[tuple[float, str, bool]]) -> None:
    assert told(habits) == expected
