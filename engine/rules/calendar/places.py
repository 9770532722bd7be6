"""In which country and state a contact may be, by its phone and by what its attributes say."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

from engine.rules.calendar.quiet_laws import LAWS, QuietLaw
from engine.rules.calendar.us_states import AREA_CODES, CANADA, STATES
from engine.rules.calendar.zones import country_code_of

#: The attributes of a contact that say where it is.
ATTRIBUTES: Final = ("state", "country")

#: What people call the countries that have laws here, case-folded and without dots, beside their ISO codes.
COUNTRIES: Final = {
    "usa": "US",
    "united states": "US",
    "united states of america": "US",
    "america": "US",
    "can": "CA",
    "canada": "CA",
    "ind": "IN",
    "india": "IN",
}

_STATES_FIRST: Final = sorted(LAWS, key=lambda place: ("-" not in place, place))


def laws_of(phone: str | None, attributes: Mapping[str, Any]) -> tuple[QuietLaw, ...]:
    """Return every law that may hold for a contact: where its phone is from, and where its attributes say it is.

    `phone` is a number in E.164, or its first digits. States come first, since the first of two equal laws is named.
    """
    places = {*_places_of_phone(phone), *_places_of_attributes(*(_word(attributes.get(name)) for name in ATTRIBUTES))}
    return tuple(LAWS[place] for place in _STATES_FIRST if place in places)


def _places_of_phone(phone: str | None) -> Iterator[str]:
    """Yield the codes of the countries and the state that a number belongs to.

    A number of the North American plan that has no place, such as +1 800, is taken for one of the United States.
    """
    code = country_code_of(phone) if phone else ""
    if phone and code == "1":
        area = phone[2:5]
        if area in CANADA:
            yield "CA"
        else:
            yield "US"
            if (state := _states_by_area_code().get(area)) is not None:
                yield f"US-{state}"
    elif code:
        yield from COUNTRY_CODE_TO_REGION_CODE[int(code)]


def _places_of_attributes(state: str, country: str) -> Iterator[str]:
    """Yield the codes of what the attributes name. A state without a country is one of the United States."""
    code = COUNTRIES.get(country, country.upper())
    if code:
        yield code
    found = _states_by_name().get(state.removeprefix("us-"))
    if found is not None and code in ("", "US"):
        yield "US"
        yield f"US-{found}"


def _word(value: Any) -> str:
    """Return a value for a look-up: case-folded, without dots, single spaces."""
    return " ".join(value.replace(".", "").casefold().split()) if isinstance(value, str) else ""


@cache
def _states_by_area_code() -> Mapping[str, str]:
    return {area: state for state, areas in AREA_CODES.items() for area in areas.split()}


@cache
def _states_by_name() -> Mapping[str, str]:
    return {
        **{name.casefold(): code for code, name in STATES.items()},
        **{code.casefold(): code for code in STATES},
        "washington dc": "DC",
    }
