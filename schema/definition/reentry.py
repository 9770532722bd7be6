"""When a contact that has been in a sequence may be enrolled in it again."""

from datetime import timedelta
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from schema.definition.duration import MIN_DELAY
from schema.definition.steps import Duration
from schema.states import Reentry

EXPECTED: Final = "once, after_exit, always or a time after the end of the one before: {after: 30 days}"


def _some_time(after: timedelta) -> timedelta:
    if after < MIN_DELAY:
        raise ValueError("expected at least 1 minute; write after_exit for at once")
    return after


class ReentryAfter(BaseModel):
    """Not before the enrollment before has ended, and so long afterwards, in sequence time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    after: Annotated[
        Duration,
        AfterValidator(_some_time),
        Field(description="a time since the end of the enrollment before: 12 hours, 30 days, 2 weeks"),
    ]


ReentryRule: TypeAlias = Annotated[Reentry | ReentryAfter, Field(description=EXPECTED)]
