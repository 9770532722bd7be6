"""A fault: what goes wrong, where, and for which requests."""

from enum import StrEnum
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from deploy.sandbox.ledger import ChannelName


class Kind(StrEnum):
    """What goes wrong."""

    LATENCY = "latency"
    """It takes `seconds` longer, also when the client has long given up; other faults may follow."""
    REPLY = "reply"
    """Another answer: for SMS an HTTP `status` with a Twilio `code` and `retry_after`, for email an SMTP `code`."""
    SILENCE = "silence"
    """No answer, ever; the connection stays open until the client closes it."""
    DROP = "drop"
    """The connection is closed in an orderly way (FIN)."""
    RESET = "reset"
    """The connection is reset (RST)."""
    REFUSE = "refuse"
    """Nobody listens any more; idle connections are closed. A switch: it lasts until it is deleted."""


class Stage(StrEnum):
    """Where in a conversation a fault strikes, in order."""

    CONNECT = "connect"
    """A connection was made, nothing read; here nobody knows the recipient."""
    LOOKUP = "lookup"
    """SMS: a message or a list of them was asked for."""
    REQUEST = "request"
    """SMS: the request to send was read, the message not accepted."""
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    """Email: DATA was read and not answered."""
    BODY = "body"
    """Email: 354 was answered; nothing of the message is read, so the final dot never counts."""
    DOT = "dot"
    """Email: the final dot was read, the message not accepted."""
    ACCEPTED = "accepted"
    """The message is accepted and in the ledger, and the client not told."""


_SMS = (Stage.REQUEST, Stage.ACCEPTED, Stage.LOOKUP)
_EMAIL = (Stage.DATA, Stage.DOT, Stage.MAIL, Stage.RCPT)

#: Where each fault may strike; the first is the default.
STAGES: Final[dict[tuple[ChannelName, Kind], tuple[Stage, ...]]] = {
    ("sms", Kind.LATENCY): _SMS,
    ("sms", Kind.REPLY): _SMS,
    ("sms", Kind.SILENCE): (*_SMS, Stage.CONNECT),
    ("sms", Kind.DROP): (*_SMS, Stage.CONNECT),
    ("sms", Kind.RESET): (*_SMS, Stage.CONNECT),
    ("sms", Kind.REFUSE): (Stage.CONNECT,),
    ("email", Kind.LATENCY): (Stage.DOT, Stage.ACCEPTED, Stage.MAIL, Stage.RCPT, Stage.DATA),
    ("email", Kind.REPLY): (Stage.RCPT, Stage.MAIL, Stage.DATA, Stage.DOT, Stage.CONNECT),
    ("email", Kind.SILENCE): (Stage.BODY, Stage.ACCEPTED, *_EMAIL, Stage.CONNECT),
    ("email", Kind.DROP): (Stage.BODY, Stage.ACCEPTED, *_EMAIL, Stage.CONNECT),
    ("email", Kind.RESET): (Stage.BODY, Stage.ACCEPTED, *_EMAIL, Stage.CONNECT),
    ("email", Kind.REFUSE): (Stage.CONNECT,),
}

#: Here the recipient isn't known yet, so a fault can't choose by it.
NOBODY_KNOWN: Final = (Stage.CONNECT, Stage.MAIL)


#: What a reply says when it was not told what to say.
TOLD_TO_FAIL: Final = "the sandbox was told to fail"


class FaultSpec(BaseModel):
    """A fault as it is asked for. Without `times`, `share`, `to` and `to_contains` it strikes every time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channel: ChannelName = Field(description="sms or email")
    kind: Kind = Field(description=", ".join(Kind))
    stage: Stage | None = Field(None, description=", ".join(Stage))
    seconds: float | None = Field(None, gt=0, le=3600, description="real seconds, above 0, at most 3600")
    status: int | None = Field(None, ge=400, le=599, description="an HTTP status from 400 to 599, for sms")
    code: int | None = Field(
        None, ge=400, le=99_999, description="a Twilio error code, or an SMTP reply code 400 to 599"
    )
    text: str | None = Field(
        None,
        max_length=2000,
        pattern=r"^[^\r\n]*$",
        description="one line: for email what follows the code, for sms a body that is not Twilio's, as a proxy's page",
    )
    retry_after: int | None = Field(
        None, ge=0, le=86_400, description="whole seconds for the header Retry-After, for sms"
    )
    times: int | None = Field(None, ge=1, description="the next so many requests; 1 or more")
    share: float | None = Field(None, gt=0, le=1, description="this share of requests, above 0, at most 1")
    seed: int = Field(0, description="a whole number; the same gives the same draw of `share`")
    to: str | None = Field(None, description="exactly this recipient")
    to_contains: str | None = Field(None, min_length=1, description="recipients that contain this")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        allowed = STAGES[self.channel, self.kind]
        if self.stage is not None and self.stage not in allowed:
            raise _misfit("stage", f"{self.kind} of {self.channel} can't strike at {self.stage}", " or ".join(allowed))
        if (self.kind is Kind.LATENCY) != (self.seconds is not None):
            raise _misfit("seconds", "belongs to latency", "give it for latency, and only there")
        replies = (self.status, self.code, self.text, self.retry_after)
        if self.kind is not Kind.REPLY and any(part is not None for part in replies):
            raise _misfit(
                "kind", "status, code, text and retry_after belong to reply", "make it `reply`, or leave them"
            )
        if self.kind is Kind.REPLY and self.channel == "sms" and self.status is None:
            raise _misfit("status", "missing", "an HTTP status from 400 to 599, as 429")
        if self.kind is Kind.REPLY and self.channel == "email":
            if self.code is None or self.code > 599:
                raise _misfit("code", "missing, or no SMTP reply code", "from 400 to 599, as 451")
            if self.status is not None or self.retry_after is not None:
                raise _misfit(
                    "status", "status and retry_after are HTTP's", "leave them for email; `code` is the reply"
                )
        by_recipient = self.to is not None or self.to_contains is not None
        if by_recipient and self.where in NOBODY_KNOWN:
            raise _misfit("to", f"the recipient is not known at {self.where}", "leave it, or choose a later stage")
        if self.kind is Kind.REFUSE and (self.times is not None or self.share is not None):
            raise _misfit("times", "refuse is a switch", "leave times and share, or use reset at connect")
        return self

    @property
    def where(self) -> Stage:
        """The stage, or the default for its kind."""
        return self.stage or STAGES[self.channel, self.kind][0]


class FaultReport(FaultSpec):
    """A fault that is or was in force."""

    id: str
    hits: int = Field(description="how often it struck")
    left: int | None = Field(description="how often it still will; None: until it is deleted")


def _misfit(where: str, what: str, how: str) -> PydanticCustomError:
    return PydanticCustomError("misfit", "{what}", {"where": where, "what": what, "how": how})
