"""Twilio's side of the webhooks: an API that listens, and signed requests to it over real sockets."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from secrets import token_hex
from urllib.parse import urlencode, urlsplit

from pydantic import SecretStr
from twilio.request_validator import RequestValidator

from deploy.cli.processes import require_migrated
from deploy.cli.serving import serving
from engine.settings import Settings

SID = "AC" + "7" * 32
TOKEN = "the-auth-token"
OURS = "+15005550006"


@dataclass(frozen=True)
class Answer:
    """What the API answered."""

    status: int
    body: str


@dataclass
class TwilioSide:
    """Calls the API as Twilio does; each part of a request can be made wrong."""

    url: str
    workspace: str
    public_url: str
    token: str = TOKEN
    account_sid: str = SID
    signer: RequestValidator = field(init=False)

    def __post_init__(self) -> None:
        self.signer = RequestValidator(self.token)

    def status(self, sid: str, status: str, token: str | None = None, **fields: str) -> Answer:
        """A status callback, with the attempt's token in its URL or without."""
        form = {"MessageSid": sid, "MessageStatus": status, "From": OURS, "To": "+12025550001", **fields}
        return self.post("status" + (f"?attempt={token}" if token else ""), form)

    def inbound(self, sender: str, body: str, sid: str | None = None, **fields: str) -> Answer:
        """An inbound message."""
        form = {"MessageSid": sid or "SM" + token_hex(16), "From": sender, "To": OURS, "Body": body, **fields}
        return self.post("inbound", form)

    def post(self, path: str, form: dict[str, str], **headers: str) -> Answer:
        """A signed request."""
        path = f"/webhooks/twilio/{self.workspace}/{path}"
        form = {"AccountSid": self.account_sid, "ApiVersion": "2010-04-01", **form}
        signature = self.signer.compute_signature(self.public_url + path, form)
        return self.send("POST", path, urlencode(form).encode(), {"X-Twilio-Signature": signature, **headers})

    def send(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        """Any request."""
        parts = urlsplit(self.url)
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        try:
            connection.request(method, path, body, {**form, "Connection": "close", **(headers or {})})
            response: HTTPResponse = connection.getresponse()
            return Answer(response.status, response.read().decode())
        finally:
            connection.close()


def with_twilio(settings: Settings) -> Settings:
    """The settings with an account of Twilio's and a public URL."""
    return settings.model_copy(
        update={
            "twilio_account_sid": SID,
            "twilio_auth_token": SecretStr(TOKEN),
            "twilio_from": OURS,
            "public_url": "https://hooks.example.com/cadenza/",
        }
    )


@contextmanager
def api(settings: Settings, workspace: str, *, twilio_is_here: bool = False) -> Iterator[TwilioSide]:
    """The API of these settings, and Twilio beside it."""
    with serving(settings, require_migrated, twilio_is_here=twilio_is_here) as (server, in_force):
        yield TwilioSide(server.url, workspace, (in_force.public_url or "").rstrip("/"))
