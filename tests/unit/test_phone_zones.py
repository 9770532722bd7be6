"""The zones that a phone number may be in: the library's rule, without parsing what needs no parsing."""

from datetime import UTC, datetime
from itertools import product

import phonenumbers
import pytest
from phonenumbers import timezone

from engine.rules.calendar import Hours, calendar_of, next_open, whereabouts
from engine.rules.calendar.zones import country_code_of, zones_of_phone
from schema.definition import parse

KINDS = range(11)

SMS = parse("sequence: a\nsteps: [{key: x, type: sms, body: b}]\n")


def numbers() -> list[str]:
    """A number of each kind of each region; without +1, whose area codes belong to one place each."""
    examples = [
        phonenumbers.example_number_for_type(region, kind)
        for region, kind in product(sorted(phonenumbers.SUPPORTED_REGIONS), KINDS)
    ]
    found = [example for example in examples if example is not None and example.country_code != 1]
    return sorted({phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) for number in found})


@pytest.mark.parametrize("number", numbers())
def test_it_agrees_with_the_library(number: str) -> None:
    parsed = phonenumbers.parse(number)
    assert country_code_of(number) == str(parsed.country_code)
    assert tuple(map(str, zones_of_phone(number))) == tuple(timezone.time_zones_for_number(parsed))


@pytest.mark.parametrize(
    ("number", "moment", "asleep_in"),
    [
        ("+61491570156", "2026-06-01 22:30", "06:30 in Perth"),
        ("+79141234567", "2026-06-01 16:30", "02:30 in Vladivostok"),
        ("+34612345678", "2026-06-01 07:30", "08:30 on the Canaries"),
    ],
)
def test_a_mobile_is_not_texted_while_it_is_night_in_a_zone_it_may_be_in(
    number: str, moment: str, asleep_in: str
) -> None:
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    calendar = calendar_of(SMS.steps[0], SMS, whereabouts(None, number, Hours()))
    opening = next_open(now, calendar)
    assert opening.moment is not None
    assert opening.moment > now, asleep_in


def test_the_first_digits_of_an_american_mobile_tell_its_place() -> None:
    assert list(map(str, zones_of_phone("+18765550100"))) == ["America/Jamaica"]
