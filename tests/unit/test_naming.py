"""What lists call an enrollment."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from engine.rules.naming import Named, enrollment_name, whom

PIZZA = Named(
    sequence_name="Demo follow-up",
    contact_id=7,
    company="Bella Pizza",
    first_name="Bella",
    last_name="Rossi",
    external_id="r-7",
    email="bella@pizza.example",
    phone="+12025550123",
    enrolled_at=datetime(2025, 1, 17, 23, 30, tzinfo=UTC),
    timezone="UTC",
)


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("UTC", "2025-01-17"),
        ("America/New_York", "2025-01-17"),
        ("Europe/Rome", "2025-01-18"),
        ("Pacific/Kiritimati", "2025-01-18"),
        ("Mars/Olympus", "2025-01-17"),
    ],
)
def test_the_day_is_that_of_the_contact(zone: str, day: str) -> None:
    assert enrollment_name(replace(PIZZA, timezone=zone)) == f"Demo follow-up - Bella Pizza - {day}"


@pytest.mark.parametrize(
    ("known", "called"),
    [
        ({}, "Bella Pizza"),
        ({"company": " Bella\n Pizza "}, "Bella Pizza"),
        ({"company": " "}, "Bella Rossi"),
        ({"company": None, "last_name": None}, "Bella"),
        ({"company": None, "first_name": None}, "Rossi"),
        ({"company": None, "first_name": None, "last_name": ""}, "r-7"),
    ],
)
def test_it_is_called_by_its_company_else_by_its_name(known: dict[str, str | None], called: str) -> None:
    assert whom(replace(PIZZA, **known)) == called  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("email", "phone", "called"),
    [
        ("bella@pizza.example", "+12025550123", "b…@pizza.example"),
        (None, "+12025550123", "…0123"),
        (None, None, "contact 7"),
    ],
)
def test_addresses_are_not_told_in_full(email: str | None, phone: str | None, called: str) -> None:
    nobody = replace(PIZZA, company=None, first_name=None, last_name=None, external_id=None)
    assert whom(replace(nobody, email=email, phone=phone)) == called
