"""What a definition says of the calendar: time zones, local times, sending windows, quiet hours."""

import re
from functools import cache
from typing import Annotated, Any, Final, Literal, TypeAlias, get_args
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    StrictBool,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from schema.definition.delay import PATTERN, Delay, read_delay
from schema.definition.document import Unquoted
from schema.definition.problem import did_you_mean, quoted

#: How the dates of contacts are written in digits, where the year comes last.
DateFormat: TypeAlias = Literal["MDY", "DMY"]

Weekday: TypeAlias = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: Final[tuple[Weekday, ...]] = get_args(Weekday)
MIDNIGHT: Final = 24 * 60
OFF: Final = ("off", "none")

_TIME: Final = re.compile(r"([01]?[0-9]|2[0-4]):([0-5][0-9])")
_TIME_SCHEMA: Final = {"type": "string", "pattern": r"^([01]?[0-9]|2[0-4]):[0-5][0-9]$", "examples": ["09:00"]}


def time_of_day(minute: int) -> str:
    """A minute of the day as people write it."""
    return f"{minute // 60:02}:{minute % 60:02}"


def _minute(value: Any) -> int:
    written = value.written if isinstance(value, Unquoted) else value
    found = _TIME.fullmatch(written.strip()) if isinstance(written, str) else None
    minute = int(found[1]) * 60 + int(found[2]) if found else MIDNIGHT + 1
    if minute > MIDNIGHT:
        shown = quoted(written) if isinstance(written, str) else "this"
        raise ValueError(f'{shown} is not a time of day: write hours and minutes, such as "09:00" or "17:30"')
    return minute


def _before_midnight(minute: int) -> int:
    if minute == MIDNIGHT:
        raise ValueError('24:00 is the end of a day: write "00:00" for its beginning')
    return minute


def _in_order(days: tuple[Weekday, ...]) -> tuple[Weekday, ...]:
    return tuple(day for day in WEEKDAYS if day in days)


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, (str, bool, Unquoted)) else value


@cache
def _countries() -> dict[str, list[str]]:
    from holidays import list_supported_countries  # only for who asks: it takes a tenth of a second to import

    return dict(list_supported_countries(include_aliases=False))


def _country(value: Any) -> str:
    """An ISO 3166 code, with that of a subdivision behind it where wanted. YAML takes NO for a yes-or-no."""
    written = "NO" if value is False else value
    if not isinstance(written, str):
        raise ValueError("it is not a country: write its ISO 3166 code, such as US, GB or DE-BY, in quotes")  # noqa: TRY004
    country, _, subdivision = written.strip().upper().partition("-")
    if country not in _countries():
        raise ValueError(
            f"no holidays are known for {quoted(written)}: write an ISO 3166 code, such as US, GB or DE-BY"
        )
    if subdivision and subdivision not in _countries()[country]:
        known = ", ".join(code for code in _countries()[country] if code.isupper()) or "none"
        raise ValueError(f"no holidays are known for {quoted(written)}: subdivisions of {country} are {known}")
    return f"{country}-{subdivision}" if subdivision else country


def _timezone(value: str) -> str:
    if value in ("contact", "workspace"):
        return value
    spelt = _timezones().get(value.strip().casefold())
    if spelt is None:
        hint = did_you_mean(value, ["contact", "workspace", *_timezones().values()])
        raise ValueError(
            f"{quoted(value)} is no time zone{hint}: expected contact, workspace or an IANA name, such as Europe/Paris"
        )
    return spelt


@cache
def _timezones() -> dict[str, str]:
    """The IANA names by their case-folded forms; `localtime` is what this machine happens to have."""
    return {name.casefold(): name for name in available_timezones() - {"localtime"}}


Minute: TypeAlias = Annotated[
    int,
    BeforeValidator(_minute),
    PlainSerializer(time_of_day, return_type=str),
    WithJsonSchema(_TIME_SCHEMA, mode="validation"),
]
LocalTime: TypeAlias = Annotated[Minute, AfterValidator(_before_midnight)]
Country: TypeAlias = Annotated[
    str, BeforeValidator(_country), WithJsonSchema({"type": "string", "pattern": "^[A-Za-z]{2}(-[A-Za-z0-9]{1,3})?$"})
]
DelayField: TypeAlias = Annotated[
    Delay,
    BeforeValidator(read_delay),
    PlainSerializer(Delay.canonical, return_type=int | str),
    WithJsonSchema(
        {"type": "string", "pattern": PATTERN, "examples": ["90 minutes", "1 day", "3 business days"]},
        mode="validation",
    ),
]
Timezone: TypeAlias = Annotated[str, AfterValidator(_timezone)]


class Window(BaseModel):
    """When messages may go out, in the zone of the sequence."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    days: Annotated[
        tuple[Weekday, ...],
        AfterValidator(_in_order),
        Field(min_length=1, description="a list of days: [mon, tue, wed, thu, fri, sat, sun]"),
    ] = WEEKDAYS
    opens: Annotated[LocalTime, Field(alias="from", description='a time of day, such as "09:00"')] = 0
    closes: Annotated[Minute, Field(alias="to", description='a time of day, such as "17:00", at most "24:00"')] = (
        MIDNIGHT
    )
    holidays: Annotated[
        tuple[Country, ...],
        BeforeValidator(_listed),
        WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
        Field(description="the ISO 3166 code of a country, or a list of them: US, GB, DE-BY"),
    ] = ()

    @model_validator(mode="after")
    def _opens_before_it_closes(self) -> "Window":
        if self.opens >= self.closes:
            raise ValueError(
                f"it opens at {time_of_day(self.opens)} and closes at {time_of_day(self.closes)}:"
                " expected 'from' to be earlier in the day than 'to'"
            )
        return self


def _whole_days(by: Delay) -> Delay:
    if by.seconds:
        raise ValueError(f"{by} are not whole days: write days, weeks or business days")
    return by


class DateAnchor(BaseModel):
    """So long before or after a date that the contact has as an attribute, `custom.NAME`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    attribute: Annotated[
        str,
        Field(pattern=r"^[^\s{}|]{1,200}$", description="the name of an attribute of the contact: renewal_date"),
    ]
    by: Annotated[
        DelayField, AfterValidator(_whole_days), Field(description="how many days: 3 days, 2 weeks, 5 business days")
    ] = Delay()
    required: Annotated[
        StrictBool,
        Field(description="true or false: whether contacts without a date that can be read are rejected"),
    ] = False

    @model_serializer(mode="wrap")
    def _without_what_is_not_used(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data: dict[str, Any] = serialize(self)
        return data if self.required else {name: value for name, value in data.items() if name != "required"}


def read_off(value: Any) -> Any:
    """YAML takes `off` for a yes-or-no."""
    return "off" if value is False or value in OFF else value


MaybeWindow: TypeAlias = Annotated[Window | Literal["off"] | None, BeforeValidator(read_off)]

DATE_EXPECTED: Final = "a date of the contact: {attribute: renewal_date, by: 3 days, required: true}"
WINDOW_EXPECTED: Final = (
    'when messages may go out: {days: [mon, tue], from: "09:00", to: "17:00", holidays: US}, or off'
)
DATE_FORMAT_EXPECTED: Final = "MDY or DMY: how dates such as 03/04/2027 are meant"
TIMEZONE_EXPECTED: Final = "contact, workspace or an IANA name, such as Europe/Paris"
