"""Steps that decide, or wait for something: the steps behind them have no time before they have ended."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal

from pydantic import ConfigDict, Field

from schema.definition.questions import TimedQuestion
from schema.definition.steps import AnyStep

if TYPE_CHECKING:
    from schema.definition.kinds import Step

#: What a condition comes to, and what a wait does.
THEN, ELSE = "then", "else"
MET, TIMED_OUT = "met", "timed_out"

WAIT_OUTCOMES: Final = (MET, TIMED_OUT)


class WaitStep(AnyStep):
    """A delay of its own, or a wait until something has happened."""

    #: The key of the question in the file.
    asks: ClassVar[str] = "until"

    type: Annotated[Literal["wait"], Field(description="the type of the step")]
    until: Annotated[
        TimedQuestion | None, Field(description="what is waited for, and how long: {replied: true, within: 14 days}")
    ] = None

    @property
    def gate(self) -> bool:
        """A mere delay is none: its end is known."""
        return self.until is not None


class ConditionStep(AnyStep):
    """Steps for those of whom it is true, and steps for the others; then they go on together."""

    model_config = ConfigDict(populate_by_name=True)

    asks: ClassVar[str] = "if"

    type: Annotated[Literal["condition"], Field(description="the type of the step")]
    condition: Annotated[
        TimedQuestion,
        Field(alias="if", description="what is asked, and how long it may take: {opened: hello, within: 2 days}"),
    ]
    then: Annotated[tuple["Step", ...], Field(description="the steps if it is so")] = ()
    otherwise: Annotated[tuple["Step", ...], Field(alias="else", description="the steps if not")] = ()

    @property
    def gate(self) -> bool:
        """It ends when it is decided."""
        return True

    @property
    def branches(self) -> Mapping[str, tuple[AnyStep, ...]]:
        """What it decides between."""
        return {THEN: self.then, ELSE: self.otherwise}


def question_of(step: AnyStep) -> TimedQuestion | None:
    """Return what a step asks; None: nothing."""
    match step:
        case ConditionStep(condition=question):
            return question
        case WaitStep(until=question):
            return question
        case _:
            return None
