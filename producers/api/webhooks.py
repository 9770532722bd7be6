"""Twilio's webhooks: what becomes of our messages, and what people send to us."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

import psycopg
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send
from twilio.twiml.messaging_response import MessagingResponse

from engine.errors import CadenzaError
from engine.outbox.in_flight import Phone
from engine.rules.opt_out import OptOut
from producers.api.body import read_body
from producers.api.errors import Forbidden, refusal_of
from producers.api.forms import Form, message_of, report_of
from producers.api.in_flight import LONGEST, InFlight
from producers.api.lane import Lane
from producers.api.twilio_caller import SIGNATURE, Call, TwilioCaller
from producers.delivery_reports import Told
from producers.inbound import Received, Written, phone_of
from producers.tenants import Tenant, Tenants

PATH: Final = "/webhooks/twilio/"


class Answer(NamedTuple):
    """What a request is answered with."""

    status: int
    body: bytes = b""
    content_type: bytes = b""
    headers: Mapping[str, str] = {}


#: Twilio is to do nothing.
NOTHING: Final = str(MessagingResponse()).encode()  # type: ignore[no-untyped-call]
XML: Final = b"application/xml"
PLAIN: Final = b"text/plain; charset=utf-8"

TAKEN: Final = Answer(204)


@dataclass(frozen=True, slots=True)
class Webhooks:
    """Answers Twilio: an ASGI application, since a framework would cost more than all that is done here."""

    caller: TwilioCaller
    tenants: Tenants
    reports: Lane[Told, None]
    messages: Lane[Written, Received]
    in_flight: InFlight
    prefixes: Sequence[str]
    """Of the path: a proxy may leave its own in it."""

    def place_of(self, scope: Scope) -> tuple[str, str] | None:
        """Return the workspace and the kind of webhook that a path names; None: it is no webhook."""
        path: str = scope.get("path", "")
        for prefix in self.prefixes:
            if path.startswith(prefix + PATH):
                workspace, _, kind = path.removeprefix(prefix + PATH).partition("/")
                if workspace and kind in ("status", "inbound"):
                    return workspace, kind
        return None

    async def answer(self, place: tuple[str, str], scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        try:
            answer = await self._answer(*place, scope, receive)
        except (CadenzaError, psycopg.Error) as error:
            refusal = refusal_of(error)
            answer = Answer(refusal.status, refusal.line.encode(), PLAIN, refusal.headers)
        except ClientDisconnect:
            answer = Answer(400)
        headers = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        if answer.content_type:
            headers += [(b"content-type", answer.content_type), (b"content-length", b"%d" % len(answer.body))]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, workspace: str, kind: str, scope: Scope, receive: Receive) -> Answer:
        if scope["method"] != "POST":
            return Answer(405, b"Method Not Allowed\n", PLAIN, {"allow": "POST"})
        since = time.monotonic()
        headers: dict[bytes, bytes] = dict(scope["headers"])
        body = await read_body(receive, int(headers.get(b"content-length", b"0")))
        query: bytes = scope["query_string"]
        raw_path: bytes = scope["raw_path"]
        target = (raw_path + b"?" + query if query else raw_path).decode("latin-1")
        signature = headers.get(SIGNATURE)
        form = self.caller.form(Call(target, None if signature is None else signature.decode("latin-1"), body))
        if kind == "status":
            return await self._status(workspace, form, query)
        return await self._inbound(workspace, form, since)

    async def _status(self, workspace: str, form: Form, query: bytes) -> Answer:
        """Take what became of a message of ours."""
        tenant = await self._tenant(workspace)
        report = report_of(
            form, tenant, dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)).get("attempt")
        )
        await self.reports.take(Told(tenant, report))
        return TAKEN

    async def _inbound(self, workspace: str, form: Form, since: float) -> Answer:
        """Take what somebody wrote to a number of ours.

        After the answer to a STOP, or to what may be one, nothing more begins for its number, and nothing is in flight
        to it. The confirmation is left to Twilio, which sends its own after the keywords (and blocks the sender, code
        21610): one from us would be the second, or be blocked. HELP is answered with who we are, unless Advanced
        Opt-Out has answered it already (then there is an OptOutType).
        """
        message = message_of(form)
        tenant = await self._tenant(workspace)
        received = await self.messages.take(Written(tenant, message))
        phone = phone_of(message.sender, tenant.region)
        if phone is not None and _keeps_from(tenant, received.says):
            await self.in_flight.wait(Phone(tenant.id, phone), since + LONGEST)
        if received.says is OptOut.HELP and message.opt_out_type is None:
            return Answer(200, _help(tenant), XML)
        return Answer(200, NOTHING, XML)

    async def _tenant(self, public_id: str) -> Tenant:
        tenant = self.tenants.known(public_id)
        if tenant is None:
            tenant = await asyncio.get_running_loop().run_in_executor(None, self.tenants.find, public_id)
        if tenant is None:
            raise Forbidden("its URL names no workspace")
        return tenant


def _keeps_from(tenant: Tenant, says: OptOut) -> bool:
    """Return whether the message keeps the workspace from writing to its sender: for good, or until a decision."""
    return says is OptOut.STOP or (says is OptOut.DOUBTFUL and tenant.doubtful == "hold")


def _help(tenant: Tenant) -> bytes:
    answer: Any = MessagingResponse()  # type: ignore[no-untyped-call]
    answer.message(
        f"{tenant.name}: you get these messages because you are a contact of ours. Reply STOP to unsubscribe."
    )
    return str(answer).encode()
