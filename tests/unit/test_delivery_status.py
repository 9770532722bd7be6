"""Delivery statuses only ever move on."""

from itertools import permutations

import pytest

from engine.rules.delivery_status import RANKS, replaceable_by


def moved_on(current: str | None, told: str) -> str:
    """What a row has after it was told a status (as the UPDATE in producers/delivery_reports.py does)."""
    return told if current is None or current in replaceable_by(told) else current


@pytest.mark.parametrize("order", list(permutations(("queued", "sending", "sent", "delivered", "read"))))
def test_any_order_ends_at_the_last(order: tuple[str, ...]) -> None:
    current = None
    for status in order:
        current = moved_on(current, status)
    assert current == "read"


@pytest.mark.parametrize("end", ["delivered", "undelivered", "failed", "canceled"])
def test_what_has_ended_stays_as_it_ended_first(end: str) -> None:
    for status, rank in RANKS.items():
        assert moved_on(end, status) == (status if rank > RANKS[end] else end)
