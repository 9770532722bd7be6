"""Requests as Twilio makes them: signed, and ready to be sent as bytes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode, urlsplit

from twilio.request_validator import RequestValidator

ACCOUNT: Final = "AC" + "7" * 32
AUTH_TOKEN: Final = "the-auth-token-of-the-bench"  # noqa: S105 (nobody's)

#: The number of ours that people write to.
OURS: Final = "+15005550006"


@dataclass(frozen=True, slots=True)
class Signer:
    """Makes requests to a public URL, whoever really listens there."""

    public_url: str
    validator: RequestValidator

    def request(self, path: str, fields: Mapping[str, str]) -> bytes:
        """Return a POST of a form over a connection that is kept, with Twilio's signature."""
        form = {"AccountSid": ACCOUNT, "ApiVersion": "2010-04-01", **fields}
        url = self.public_url + path
        signature = self.validator.compute_signature(url, form)  # type: ignore[no-untyped-call]
        body = urlencode(form).encode()
        parts = urlsplit(self.public_url)
        head = (
            f"POST {parts.path}{path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUser-Agent: TwilioProxy/1.1\r\n"
            "Accept: */*\r\nContent-Type: application/x-www-form-urlencoded; charset=UTF-8\r\n"
            f"I-Twilio-Idempotency-Token: {fields['MessageSid']}\r\nX-Twilio-Signature: {signature}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def status(self, path: str, sid: str, status: str, recipient: str) -> bytes:
        """Return a status callback, to the path and query that the message was sent with."""
        return self.request(
            path,
            {
                "MessageSid": sid,
                "SmsSid": sid,
                "MessageStatus": status,
                "SmsStatus": status,
                "From": OURS,
                "To": recipient,
            },
        )

    def stop(self, path: str, sid: str, sender: str) -> bytes:
        """Return an inbound STOP."""
        return self.request(
            path,
            {
                "MessageSid": sid,
                "SmsSid": sid,
                "SmsMessageSid": sid,
                "SmsStatus": "received",
                "From": sender,
                "To": OURS,
                "Body": "STOP",
                "NumMedia": "0",
                "NumSegments": "1",
            },
        )


def signer_for(public_url: str) -> Signer:
    """Return a signer with the token of the bench."""
    return Signer(public_url, RequestValidator(AUTH_TOKEN))  # type: ignore[no-untyped-call]
