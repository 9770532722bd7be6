"""Inbound messages: what Twilio posts when somebody writes to a number of ours."""

import secrets
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from deploy.sandbox.account import Account
from deploy.sandbox.message import API_VERSION
from deploy.sandbox.message_rules import is_loopback
from deploy.sandbox.options import SENDER
from deploy.sandbox.segments import count_segments
from deploy.sandbox.webhook import Webhook


def _on_this_machine(url: str) -> str:
    if not is_loopback(url):
        raise ValueError("the sandbox calls loopback addresses only")
    return url


class InboundMessage(BaseModel):
    """A message that somebody is to have sent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sender: str = Field(alias="from", min_length=1, description="who writes, as +12025550100")
    to: str = Field(SENDER, min_length=1, description="a number of ours")
    body: str = Field("", max_length=1600, description="the text, at most 1600 characters")
    url: Annotated[
        str, AfterValidator(_on_this_machine), Field(description="the webhook of that number, on this machine")
    ]
    opt_out_type: str | None = Field(None, description="STOP, START or HELP, as Advanced Opt-Out adds it")
    sid: str | None = Field(None, description="the same as before: Twilio tells of it again")
    repeat: int = Field(1, ge=1, le=100, description="how often it is told, 1 to 100")
    forge: bool = Field(False, description="true: it is not signed by Twilio")

    def webhook(self, account: Account) -> Webhook:
        """The request that tells of it."""
        sid = self.sid or "SM" + secrets.token_hex(16)
        form = {
            "AccountSid": account.sid,
            "ApiVersion": API_VERSION,
            "Body": self.body,
            "From": self.sender,
            "MessageSid": sid,
            "NumMedia": "0",
            "NumSegments": str(count_segments(self.body)),
            "SmsMessageSid": sid,
            "SmsSid": sid,
            "SmsStatus": "received",
            "To": self.to,
        }
        if self.opt_out_type is not None:
            form["OptOutType"] = self.opt_out_type
        return Webhook(self.url, form, self.forge)
