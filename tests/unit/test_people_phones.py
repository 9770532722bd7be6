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


@pytest.mark.parametrize(
    ("region", "value", "number"),
    [
        ("AT", "436641234567.0", "+436641234567"),
        ("AT", "436641234567.00", "+436641234567"),
        ("AT", "436641234567,00", "+436641234567"),
        ("DE", "015112345678", "+4915112345678"),
        ("ID", "6281234567890", "+6281234567890"),
        ("US", "12025550123", "+12025550123"),
    ],
)
def test_what_spreadsheets_write(region: str, value: str, number: str) -> None:
    assert e164(value, region) == number


@pytest.mark.parametrize(
    ("region", "value", "says"),
    [
        ("AT", "436641234567.50", "has decimals"),
        ("AT", "436641234567.5", "has decimals"),
        ("DE", "4915112345678", r"may be \+4915112345678 or \+494915112345678: write it with its plus sign"),
        ("XK", "38343201234", r"may be \+38343201234 or \+38338343201234"),
    ],
)
def test_what_may_be_another_number_is_rejected(region: str, value: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        e164(value, region)


@settings(max_examples=3_000, deadline=None)
@given(region=st.sampled_from(REGIONS), kind=st.sampled_from(KINDS), last=st.integers(0, 9_999))
def test_a_number_that_has_lost_its_plus_sign_is_never_another_number(region: str, kind: int, last: int) -> None:
    example = phonenumbers.example_number_for_type(region, kind)
    if example is None:
        return
    number = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)[:-4] + f"{last:04d}"
    if not phonenumbers.is_valid_number(phonenumbers.parse(number)):
        return
    try:
        read = e164(number.removeprefix("+"), region)
    except ValueError:
        return
    assert read == number
