"""Plain numbers are read by patterns from the metadata: exactly as the library reads them."""

from itertools import chain

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InvalidInput
from producers.phones import _plain, check_region, e164, e164_by_library

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)

KINDS = range(11)

FORMATS = [
    phonenumbers.PhoneNumberFormat.E164,
    phonenumbers.PhoneNumberFormat.INTERNATIONAL,
    phonenumbers.PhoneNumberFormat.NATIONAL,
]


def examples_of(region: str) -> list[str]:
    """A number of each kind that the region has, in each notation."""
    numbers = [phonenumbers.example_number_for_type(region, kind) for kind in KINDS]
    return [phonenumbers.format_number(number, form) for number in numbers if number is not None for form in FORMATS]


EXAMPLES = list(chain.from_iterable(((region, number) for number in examples_of(region)) for region in REGIONS))

EDITS = st.tuples(
    st.sampled_from(["put", "insert", "drop"]), st.integers(0, 24), st.sampled_from("00112345678999 ()-./+")
)


def edited(number: str, edits: list[tuple[str, int, str]]) -> str:
    """What a person may make of a number."""
    characters = list(number)
    for how, place, character in edits:
        place = min(place, len(characters))
        if how != "insert":
            del characters[place : place + 1]
        if how != "drop":
            characters.insert(place, character)
    return "".join(characters)


def library(value: str, region: str) -> str | None:
    try:
        return e164_by_library(value, region)
    except ValueError:
        return None


@settings(max_examples=2_000, deadline=None)
@given(
    example=st.sampled_from(EXAMPLES),
    edits=st.lists(EDITS, max_size=6),
    elsewhere=st.none() | st.sampled_from(REGIONS),
    without_plus=st.booleans(),
)
def test_the_patterns_agree_with_the_library(
    example: tuple[str, str], edits: list[tuple[str, int, str]], elsewhere: str | None, without_plus: bool
) -> None:
    region, number = example
    value = edited(number.replace("+", "") if without_plus else number, edits)
    plain = _plain(value, elsewhere or region)
    assert plain is None or plain == library(value, elsewhere or region)


@settings(max_examples=1_000, deadline=None)
@given(
    region=st.sampled_from(["US", "CA", "PR", "JM", "GB", "DE"]),
    prefix=st.sampled_from(["", "1", "1-", "+1", "+1 ", "001", "011"]),
    digits=st.from_regex(r"[2-9][0-9]{9}", fullmatch=True),
)
def test_the_patterns_agree_on_north_american_numbers(region: str, prefix: str, digits: str) -> None:
    for value in (f"{prefix}{digits}", f"{prefix}({digits[:3]}) {digits[3:6]}-{digits[6:]}"):
        plain = _plain(value, region)
        assert plain is None or plain == library(value, region)


@pytest.mark.parametrize(
    ("region", "value"),
    [
        ("US", "+12025550123"),
        ("US", "(202) 555-0123"),
        ("US", "202.555.0123"),
        ("US", "1-202-555-0123"),
        ("CA", "416-555-0123"),
        ("JM", "876-555-0123"),
        ("US", "+44 20 7946 0123"),
        ("GB", "020 7946 0123"),
        ("DE", "030 23125 123"),
        ("FR", "06 12 34 56 78"),
        ("IT", "06 12345678"),
        ("SE", "070-174 06 05"),
    ],
)
def test_common_notations_need_no_library(region: str, value: str) -> None:
    assert _plain(value, region) == e164_by_library(value, region) == e164(value, region)


def test_most_examples_of_the_world_need_no_library() -> None:
    plain = sum(_plain(number, region) is not None for region, number in EXAMPLES)
    assert plain / len(EXAMPLES) > 0.8


def test_a_region_is_a_code_of_two_letters() -> None:
    assert check_region("gb") == "GB"
    with pytest.raises(InvalidInput, match="ISO 3166"):
        check_region("England")
