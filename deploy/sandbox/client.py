"""The controls of a running sandbox, for tests, the demo and the command line."""

import json
from collections.abc import Iterable, Iterator
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from pydantic import BaseModel

from deploy.sandbox.fault import FaultReport, Kind, Stage
from deploy.sandbox.ledger import ChannelName, Entry
from engine.errors import InvalidInput, Unavailable

#: Real seconds to wait for an answer; and for one that a webhook gives, which may take as long as Twilio waits for it
#: (deploy/sandbox/webhook.py: 15) and a little for the way there and back.
TIMEOUT_SECONDS = 10
WEBHOOK_TIMEOUT_SECONDS = 20


class Answer(BaseModel):
    """What a webhook answered."""

    status: int
    body: str


class Inbound(BaseModel):
    """A message that the sandbox told of, and what the webhook answered each time; None: nothing."""

    sid: str
    answers: list[Answer | None]


class SandboxClient:
    """Talks to /sandbox/. Raises Unavailable when nobody answers, InvalidInput when the sandbox refuses."""

    def __init__(self, url: str) -> None:
        """Take the `control_url` of a sandbox."""
        self.url = url

    def add_fault(
        self, channel: ChannelName, kind: Kind | str, stage: Stage | str | None = None, **details: object
    ) -> FaultReport:
        """Put a fault in force; `details` are the other fields of FaultSpec."""
        spec = {"channel": channel, "kind": kind, "stage": stage, **details}
        return FaultReport.model_validate_json(self._request("POST", "/sandbox/faults", spec))

    def faults(self) -> list[FaultReport]:
        """Every fault that was not ended, with how often it struck."""
        return _reports(self._request("GET", "/sandbox/faults"))

    def end_faults(self, fault_id: str | None = None) -> list[FaultReport]:
        """End a fault, or all; says how they ended."""
        return _reports(self._request("DELETE", "/sandbox/faults" + (f"/{fault_id}" if fault_id else "")))

    def forget_messages(self) -> None:
        """Let look-ups find nothing of what was accepted so far; the ledger keeps it."""
        self._request("DELETE", "/sandbox/messages")

    def set_unsubscribed(self, numbers: Iterable[str]) -> None:
        """Refuse these numbers, and no others, with 21610."""
        self._request("POST", "/sandbox/unsubscribed", {"numbers": list(numbers)})

    def unsubscribed(self) -> list[str]:
        """The numbers that are refused with 21610."""
        numbers: list[str] = json.loads(self._request("GET", "/sandbox/unsubscribed"))["numbers"]
        return numbers

    def in_flight(self) -> list[str]:
        """Return the numbers of SMS that the sandbox has been asked to send and has not answered."""
        numbers: list[str] = json.loads(self._request("GET", "/sandbox/in-flight"))["numbers"]
        return numbers

    def counts(self) -> dict[ChannelName, dict[str, int]]:
        """How many messages were accepted and refused, by channel, since the ledger began."""
        content = json.loads(self._request("GET", "/sandbox/ledger"))
        return {"sms": content["sms"], "email": content["email"]}

    def entries(self) -> Iterator[Entry]:
        """The whole ledger over HTTP; `read_ledger` reads the file."""
        for line in self._request("GET", "/sandbox/ledger?full=1").splitlines(keepends=True):
            yield Entry.from_line(line)

    def callbacks(self) -> dict[str, int]:
        """How many status callbacks are waiting, were answered, refused (not 2xx) and left unanswered."""
        counts: dict[str, int] = json.loads(self._request("GET", "/sandbox/callbacks"))
        return counts

    def set_callbacks(self, **habits: object) -> None:
        """Let status callbacks misbehave; `habits` are the fields of CallbackHabits, those not given as usual."""
        self._request("POST", "/sandbox/callbacks", habits)

    def inbound(self, sender: str, body: str, url: str, **details: object) -> Inbound:
        """Let somebody write to the number whose webhook this is; `details` are the other fields of InboundMessage."""
        content = {"from": sender, "body": body, "url": url, **details}
        return Inbound.model_validate_json(self._request("POST", "/sandbox/inbound", content, WEBHOOK_TIMEOUT_SECONDS))

    def pid(self) -> int | None:
        """The process that answers at /healthz; None if nobody does."""
        try:
            pid: int = json.loads(self._request("GET", "/healthz"))["pid"]
        except (Unavailable, InvalidInput, ValueError, KeyError, TypeError):
            return None  # nobody, or another program that was given the port since
        return pid

    def _request(
        self, method: str, path: str, content: dict[str, object] | None = None, timeout: float = TIMEOUT_SECONDS
    ) -> bytes:
        parts = urlsplit(self.url)
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
        try:
            body = None if content is None else json.dumps(content)
            connection.request(method, path, body, {"Content-Type": "application/json", "Connection": "close"})
            response = connection.getresponse()
            answer = response.read()
        except (OSError, HTTPException) as error:
            raise Unavailable(f"the sandbox does not answer at {self.url}: {type(error).__name__}") from None
        finally:
            connection.close()
        if response.status in (404, 422):
            raise InvalidInput("; ".join(_problems(answer)))
        if response.status >= 300:
            raise Unavailable(f"the sandbox answered {response.status} at {self.url}{path}")
        return answer


def _reports(answer: bytes) -> list[FaultReport]:
    return [FaultReport.model_validate(report) for report in json.loads(answer)["faults"]]


def _problems(answer: bytes) -> list[str]:
    return [f"{problem['where']}: {problem['what']}; {problem['how']}" for problem in json.loads(answer)["errors"]]
