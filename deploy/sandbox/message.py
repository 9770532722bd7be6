"""A text message that the sandbox accepted, as Twilio's API shows it."""

from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, Final

from deploy.sandbox.ledger import Entry
from deploy.sandbox.options import SENDER
from deploy.sandbox.segments import count_segments

API_VERSION: Final = "2010-04-01"


@dataclass(frozen=True, slots=True)
class Timeline:
    """When a message moves on, in real seconds after it was accepted."""

    sent: float
    delivered: float


@dataclass(frozen=True, slots=True)
class Message:
    """What was accepted. Its status follows from its age, so that it needs no timer and survives a restart."""

    sid: str
    at: float
    """Real epoch seconds."""
    to: str
    sender: str | None
    """None while a Messaging Service has not chosen one."""
    messaging_service_sid: str | None
    body: str
    media: tuple[str, ...]
    status_callback: str | None
    number: int
    """Its place among all messages, the first being 0."""

    def status(self, now: float, timeline: Timeline) -> str:
        """Where it has got to."""
        age = now - self.at
        if age < timeline.sent:
            return "queued" if self.messaging_service_sid is None else "accepted"
        return "sent" if age < timeline.delivered else "delivered"

    def sent_at(self, now: float, timeline: Timeline) -> float | None:
        """When it was sent, in whole epoch seconds as Twilio tells it; None before."""
        sent = self.at + timeline.sent
        return None if now < sent else float(int(sent))

    def sent_from(self, status: str) -> str | None:
        """Who it comes from; a Messaging Service chooses a sender when it sends."""
        return SENDER if self.sender is None and status != "accepted" else self.sender

    def entry(self, fault: str | None) -> Entry:
        """Its line in the ledger."""
        return Entry(
            at=self.at,
            channel="sms",
            event="accepted",
            id=self.sid,
            to=self.to,
            sender=self.sender,
            messaging_service_sid=self.messaging_service_sid,
            body=self.body,
            media=self.media,
            status_callback=self.status_callback,
            fault=fault,
        )

    def to_json(self, account_sid: str, now: float, timeline: Timeline) -> dict[str, Any]:
        """The resource, as the API shows it (twilio-oai, api.v2010.account.message)."""
        status = self.status(now, timeline)
        sent = self.sent_at(now, timeline)
        moved = self.at
        if status in ("sent", "delivered"):
            moved += timeline.sent if status == "sent" else timeline.delivered
        uri = f"/{API_VERSION}/Accounts/{account_sid}/Messages/{self.sid}"
        return {
            "account_sid": account_sid,
            "api_version": API_VERSION,
            "body": self.body,
            "date_created": rfc_2822(self.at),
            "date_sent": None if sent is None else rfc_2822(sent),
            "date_updated": rfc_2822(moved),
            "direction": "outbound-api",
            "error_code": None,
            "error_message": None,
            "from": self.sent_from(status),
            "messaging_service_sid": self.messaging_service_sid,
            "num_media": str(len(self.media)),
            "num_segments": "0" if status == "accepted" else str(count_segments(self.body)),
            "price": None,
            "price_unit": "USD",
            "sid": self.sid,
            "status": status,
            "subresource_uris": {"media": f"{uri}/Media.json"},
            "to": self.to,
            "uri": f"{uri}.json",
        }


def rfc_2822(at: float) -> str:
    """A moment as Twilio writes it, UTC: `Fri, 24 May 2019 17:44:46 +0000`."""
    return formatdate(at, usegmt=True).replace("GMT", "+0000")
