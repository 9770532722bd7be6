"""Phone numbers to E.164, by the rules of `phonenumbers`.

What most files hold, plain numbers in a common notation, is matched against patterns that are compiled from
the metadata of `phonenumbers` itself: about five times as fast. Whatever those patterns do not accept goes
through the library, which alone decides that a number is invalid (tests/unit/test_people_phones.py).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, NumberParseException, PhoneMetadata, PhoneNumberFormat

from engine.errors import InvalidInput

#: ITU-T E.164: at most 15 digits after the plus sign.
E164: Final = re.compile(r"\+[1-9][0-9]{3,14}")
_LONGEST: Final = 16

#: A number in a common notation: digits and separators that `phonenumbers` skips, no letters and no extension.
_PLAIN: Final = re.compile(r"(\+?)([0-9 ().\-/]{7,32})", re.ASCII)
_SEPARATORS: Final = str.maketrans("", "", " ().-/")

#: What a spreadsheet or a data frame makes of a number that it took for a quantity.
_AS_FLOAT: Final = re.compile(r"(\+?[0-9]{7,15})[.,]0+", re.ASCII)
_WITH_DECIMALS: Final = re.compile(r"\+?[0-9]{7,15}[.,][0-9]{1,2}", re.ASCII)
_ROUNDED: Final = re.compile(r"[0-9][.,][0-9]+[eE]\+?[0-9]+", re.ASCII)

_KINDS: Final = (
    "premium_rate", "toll_free", "shared_cost", "voip", "personal_number", "pager", "uan", "voicemail",
    "fixed_line", "mobile",
)  # fmt: skip

_NATIONAL: Final = "write it as + and the country code, then the number"

_FAULTS: Final = {
    NumberParseException.INVALID_COUNTRY_CODE: "has no known country code",
    NumberParseException.NOT_A_NUMBER: "is not a phone number",
    NumberParseException.TOO_SHORT_AFTER_IDD: "is too short",
    NumberParseException.TOO_SHORT_NSN: "is too short",
    NumberParseException.TOO_LONG: "is too long",
}


def e164(value: str, region: str) -> str:
    """Read a number as it is written in the region (ISO 3166, such as `US`).

    Raises:
        ValueError: it is not a valid number; the message says what is wrong and how to mend it.
    """
    if (as_float := _AS_FLOAT.fullmatch(value)) is not None:
        value = as_float[1]
    elif _WITH_DECIMALS.fullmatch(value) is not None:
        raise ValueError("has decimals: format the column as text and export again")
    return _plain(value, region) or e164_by_library(value, region)


def e164_by_library(value: str, region: str) -> str:
    """Read a number with `phonenumbers` alone.

    Raises:
        ValueError: it is not a valid number; the message says what is wrong and how to mend it.
    """
    if _ROUNDED.fullmatch(value) is not None:
        raise ValueError("was rounded by a spreadsheet: format the column as text and export again")
    try:
        number = phonenumbers.parse(value, region)
    except NumberParseException as error:
        raise ValueError(f"{_FAULTS[error.error_type]}: {_NATIONAL}") from None
    if number.extension:
        raise ValueError("has an extension: give a number that can be reached without one")
    if not phonenumbers.is_valid_number(number):
        raise ValueError(f"is not valid{_where(value, region)}: {_NATIONAL}")
    formatted: str = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    if E164.fullmatch(formatted) is None:
        raise ValueError("is longer than the 15 digits of E.164")
    if (other := _with_its_country_code(value, number.country_code or 0)) not in (None, formatted):
        raise ValueError(f"may be {other} or {formatted}: write it with its plus sign, as {other}")
    return formatted


def _with_its_country_code(value: str, country_code: int) -> str | None:
    """Return the number that the digits are with a plus sign before them; None: they are none of the region's.

    A spreadsheet drops the plus sign: in Germany 4915112345678 is +49 151 12345678 for whoever wrote it. The library
    reads it as a number within Germany, +49 4915 112345678, where there is such a number too.
    """
    digits = re.sub(r"[^0-9]", "", value)
    if value.lstrip("( ").startswith("+") or not digits.startswith(str(country_code)):
        return None
    try:
        number = phonenumbers.parse(f"+{digits}")
    except NumberParseException:
        return None
    if number.country_code != country_code or not phonenumbers.is_valid_number(number):
        return None
    return str(phonenumbers.format_number(number, PhoneNumberFormat.E164))


def check_region(region: str) -> str:
    """Give the region code in upper case.

    Raises:
        InvalidInput: no such region.
    """
    if region.upper() not in phonenumbers.SUPPORTED_REGIONS:
        raise InvalidInput(f"region {region!r} is not known: give an ISO 3166 code of two letters, such as US or GB")
    return region.upper()


def _where(value: str, region: str) -> str:
    return "" if value.lstrip("( ").startswith("+") else f" in region {region}"


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a region writes its numbers, and which ones its country code has."""

    country_code: str
    dialling_out: re.Pattern[str] | None
    trunk: re.Pattern[str] | None
    trunk_is_simple: bool
    possible: re.Pattern[str]
    lengths: frozenset[int]
    valid: re.Pattern[str]

    def trunk_of(self, digits: str) -> "re.Match[str] | None":
        """Find what people of the region dial before a national number."""
        return None if self.trunk is None else self.trunk.match(digits)

    def number(self, national: str) -> str | None:
        """Write a national number in E.164, if it is valid."""
        number = f"+{self.country_code}{national}"
        return number if len(number) <= _LONGEST and self.valid.fullmatch(national) else None


def _plain(value: str, region: str) -> str | None:
    """Read a valid number in a common notation; None: the library has to look."""
    match = _PLAIN.fullmatch(value)
    if match is None:
        return None
    digits = match[2].translate(_SEPARATORS)
    return _international(digits) if match[1] else _national(digits, region)


def _international(digits: str) -> str | None:
    plan = _plan_of_country(digits[:1]) or _plan_of_country(digits[:2]) or _plan_of_country(digits[:3])
    if plan is None:
        return None
    national = digits[len(plan.country_code) :]
    return None if plan.trunk_of(national) else plan.number(national)


def _national(digits: str, region: str) -> str | None:
    plan = _plan_of_region(region)
    if plan is None or (plan.dialling_out is not None and plan.dialling_out.match(digits)):
        return None
    if digits.startswith(plan.country_code):
        national = digits[len(plan.country_code) :]
        as_written, without = plan.possible.fullmatch(digits), plan.possible.fullmatch(national)
        return None if as_written or not without or plan.trunk_of(national) else _international(digits)
    trunk = plan.trunk_of(digits)
    if trunk is None:
        return plan.number(digits)
    if not plan.trunk_is_simple or plan.possible.fullmatch(digits):
        return None
    national = digits[trunk.end() :]
    return plan.number(national) if len(national) in plan.lengths else None


@cache
def _plan_of_country(country_code: str) -> _Plan | None:
    regions = COUNTRY_CODE_TO_REGION_CODE.get(int(country_code)) if country_code[:1] not in ("", "0") else None
    return None if regions is None else _plan(country_code, regions[0])


@cache
def _plan_of_region(region: str) -> _Plan | None:
    metadata = PhoneMetadata.metadata_for_region(region, None)
    return None if metadata is None else _plan(str(metadata.country_code), region)


def _plan(country_code: str, region: str) -> _Plan:
    metadata = _metadata(int(country_code), region)
    regions = COUNTRY_CODE_TO_REGION_CODE[int(country_code)]
    trunk = re.compile(metadata.national_prefix_for_parsing) if metadata.national_prefix_for_parsing else None
    return _Plan(
        country_code,
        re.compile(metadata.international_prefix) if metadata.international_prefix else None,
        trunk,
        trunk is not None and not trunk.groups and not metadata.national_prefix_transform_rule,
        re.compile(metadata.general_desc.national_number_pattern),
        frozenset(metadata.general_desc.possible_length),
        re.compile("|".join(_regions(int(country_code), regions))),
    )


def _regions(country_code: int, regions: tuple[str, ...]) -> Iterator[str]:
    """One pattern per region, each as `phonenumbers.is_valid_number` decides.

    A region that names its leading digits takes all numbers that begin so, away from those after it.
    """
    taken = ""
    for region in regions:
        metadata = _metadata(country_code, region)
        kinds = [_pattern(kind) for name in _KINDS if (kind := getattr(metadata, name)) is not None]
        leading = f"(?={metadata.leading_digits})" if len(regions) > 1 and metadata.leading_digits else ""
        numbers = "|".join(kind for kind in dict.fromkeys(kinds) if kind)
        yield f"{taken}{leading}(?={_pattern(metadata.general_desc)}\\Z)(?:{numbers})\\Z"
        if leading:
            taken += f"(?!{metadata.leading_digits})"


def _metadata(country_code: int, region: str) -> Any:
    return PhoneMetadata.metadata_for_region_or_calling_code(country_code, region)


def _pattern(kind: Any) -> str:
    if not kind.national_number_pattern:
        return ""
    lengths = "|".join(f"[0-9]{{{length}}}\\Z" for length in kind.possible_length)
    return f"(?={lengths})(?:{kind.national_number_pattern})" if lengths else f"(?:{kind.national_number_pattern})"
