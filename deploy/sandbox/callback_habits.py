"""How status callbacks misbehave: Twilio promises no order, may repeat them, and anybody can forge them."""

from dataclasses import dataclass
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from deploy.sandbox.webhook import Webhook


@dataclass(frozen=True, slots=True)
class Callback:
    """One request to come."""

    after: float
    """Real seconds after the message was accepted."""
    webhook: Webhook

    def forged(self) -> Self:
        """The same with what somebody else might want us to believe."""
        lie = {"MessageStatus": "failed", "SmsStatus": "failed", "ErrorCode": "21610"}
        return type(self)(self.after, Webhook(self.webhook.url, {**self.webhook.form, **lie}, forged=True))


class CallbackHabits(BaseModel):
    """What is done to the callbacks of each message."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reorder: bool = Field(False, description="true: the last status comes first")
    repeat: int = Field(1, ge=1, le=100, description="how often each comes, 1 to 100")
    forge: bool = Field(False, description="true: before each comes another that is not signed by Twilio")

    def apply(self, callbacks: list[Callback]) -> list[Callback]:
        """What will be posted in place of these."""
        if self.reorder:
            moments = [callback.after for callback in callbacks]
            callbacks = [
                Callback(after, callback.webhook) for after, callback in zip(moments, callbacks[::-1], strict=True)
            ]
        once = [one for callback in callbacks for one in ([callback.forged()] if self.forge else []) + [callback]]
        return [callback for callback in once for _ in range(self.repeat)]
