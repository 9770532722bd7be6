"""Quiet hours: when SMS may not go out, for all days alike or day by day."""

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from schema.definition.calendar import MIDNIGHT, OFF, WEEKDAYS, LocalTime, Minute, Weekday, read_off, time_of_day

QUIET_EXPECTED: Final = (
    'when no SMS goes out, such as {from: "20:00", to: "09:00", sun: {from: "20:00", to: "12:00"}}, or off'
)
DAY_EXPECTED: Final = 'the hours of that day, such as {from: "20:00", to: "12:00"}, or off'

#: What a workspace writes behind its hours to add those that the law asks for.
STRICT: Final = "strict"


class QuietDay(BaseModel):
    """The quiet hours of one day of the week: before `to` and from `from` on, or between them if `from` is earlier."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    begin: Annotated[LocalTime, Field(alias="from", description='a time of day, such as "20:00"')]
    end: Annotated[Minute, Field(alias="to", description='a time of day, such as "12:00", at most "24:00"')]

    @model_validator(mode="after")
    def _take_some_time(self) -> "QuietDay":
        if self.begin == self.end:
            raise ValueError(
                'they begin and end at the same time: write from "00:00" to "24:00" for a whole day, or off'
            )
        return self

    @property
    def whole(self) -> bool:
        """Whether all of the day is quiet."""
        return self.begin == 0 and self.end == MIDNIGHT

    def cover(self, minute: int) -> bool:
        """Return whether a minute of the day is quiet."""
        begun, over = minute >= self.begin, minute >= self.end
        return (begun or not over) if self.begin > self.end else (begun and not over)

    def __str__(self) -> str:
        """As people write it."""
        return f"{time_of_day(self.begin)}-{time_of_day(self.end)}"


MaybeQuietDay: TypeAlias = Annotated[
    QuietDay | Literal["off"] | None, BeforeValidator(read_off), Field(description=DAY_EXPECTED)
]


class QuietHours(BaseModel):
    """When SMS may not go out, wherever the contact may be.

    Each day of the week has the hours of its own name, else `from` and `to`. A day is one of the calendar: `sun: {from:
    "20:00", to: "12:00"}` is Sunday before 12:00 and Sunday from 20:00 on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    begin: Annotated[LocalTime, Field(alias="from", description='a time of day, such as "20:00"')] = 20 * 60
    end: Annotated[LocalTime, Field(alias="to", description='a time of day, such as "09:00"')] = 9 * 60
    mon: MaybeQuietDay = None
    tue: MaybeQuietDay = None
    wed: MaybeQuietDay = None
    thu: MaybeQuietDay = None
    fri: MaybeQuietDay = None
    sat: MaybeQuietDay = None
    sun: MaybeQuietDay = None

    @model_validator(mode="after")
    def _leave_some_time(self) -> "QuietHours":
        if self.begin == self.end:
            raise ValueError("they begin and end at the same time: write `off` for no quiet hours")
        if all((hours := self.on(day)) is not None and hours.whole for day in WEEKDAYS):
            raise ValueError("all days are quiet all day: no SMS would ever go out")
        return self

    @model_serializer(mode="wrap")
    def _without_days_that_are_like_all(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data: dict[str, Any] = serialize(self)
        return {name: value for name, value in data.items() if value is not None}

    @property
    def by_day(self) -> bool:
        """Whether some day has hours of its own."""
        return any(getattr(self, day) is not None for day in WEEKDAYS)

    def on(self, day: Weekday) -> QuietDay | None:
        """Return the hours of a day of the week; None: it has none."""
        own: QuietDay | Literal["off"] | None = getattr(self, day)
        if own is None:
            return QuietDay.model_construct(begin=self.begin, end=self.end)
        return None if own == "off" else own

    def cover(self, minute: int, day: Weekday) -> bool:
        """Return whether a minute of a day of the week is quiet."""
        hours = self.on(day)
        return hours is not None and hours.cover(minute)

    def __str__(self) -> str:
        """As people write it: `20:00-09:00, sun 20:00-12:00`."""
        days = [f"{day} {getattr(self, day)}" for day in WEEKDAYS if getattr(self, day) is not None]
        return ", ".join([f"{time_of_day(self.begin)}-{time_of_day(self.end)}", *days])


MaybeQuietHours: TypeAlias = Annotated[QuietHours | Literal["off"] | None, BeforeValidator(read_off)]


@dataclass(frozen=True, slots=True)
class QuietSetting:
    """The quiet hours of a workspace, as its setting has them in one line."""

    hours: QuietHours | None
    """None: `off`."""
    strict: bool = False
    """Whether those that the law asks for where the contact is hold too."""

    def __str__(self) -> str:
        """As it is stored: `20:00-09:00, sun 20:00-12:00, strict`."""
        return ("off" if self.hours is None else str(self.hours)) + (f", {STRICT}" if self.strict else "")


def read_quiet_setting(text: str) -> QuietSetting:
    """Read `off`, `strict`, or hours such as `20:00-09:00, sun 20:00-12:00, strict`.

    `strict` alone is the default hours and those of the law.

    Raises:
        ValueError: it can't be read; the message says what is expected.
    """
    parts = [part.strip().lower() for part in text.split(",")]
    strict = parts[-1] == STRICT
    if parts == [STRICT]:
        return QuietSetting(QuietHours(), strict=True)
    first, *days = parts[:-1] if strict else parts
    given: dict[str, Any] = {}
    for part in days:
        day, _, hours = part.partition(" ")
        if day not in WEEKDAYS or day in given:
            raise ValueError(_EXPECTED)
        given[day] = "off" if hours.strip() in OFF else _range(hours)
    if first in OFF:
        if given:
            raise ValueError(_EXPECTED)
        return QuietSetting(None, strict)
    try:
        return QuietSetting(QuietHours.model_validate({**_range(first), **given}), strict)
    except ValidationError:
        raise ValueError(_EXPECTED) from None


_EXPECTED: Final = (
    "expected two times of day, such as 20:00-09:00, and days that differ, such as 20:00-09:00, sun 20:00-12:00;"
    " or strict, or off"
)


def _range(text: str) -> dict[str, str]:
    begin, _, end = (part.strip() for part in text.partition("-"))
    return {"from": begin, "to": end}
