"""The controls of a running sandbox, under /sandbox/: faults, the list of unsubscribed numbers, the ledger."""

import os
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from deploy.sandbox.account import Account
from deploy.sandbox.callback_habits import CallbackHabits
from deploy.sandbox.fault import FaultSpec
from deploy.sandbox.fault_board import FaultBoard
from deploy.sandbox.http_faults import json_response
from deploy.sandbox.inbound import InboundMessage
from deploy.sandbox.ledger import LedgerWriter
from deploy.sandbox.message_store import MessageStore
from deploy.sandbox.status_callbacks import RESULTS, StatusCallbacks
from deploy.sandbox.webhook import Webhooks


class Unsubscribed(BaseModel):
    """The numbers that are refused with 21610, all of them."""

    model_config = ConfigDict(extra="forbid")

    numbers: list[str] = Field(description="a list of numbers in E.164, as +15005550006")


class Control:
    """Answers under /sandbox/. What it sets ends with the sandbox; only the ledger stays."""

    def __init__(
        self,
        account: Account,
        store: MessageStore,
        board: FaultBoard,
        ledger: LedgerWriter,
        callbacks: StatusCallbacks,
        webhooks: Webhooks,
        faults_changed: Callable[[], Awaitable[None]],
    ) -> None:
        """Put it together; `faults_changed` is awaited before a change is answered."""
        self._account = account
        self._store = store
        self._board = board
        self._ledger = ledger
        self._callbacks = callbacks
        self._webhooks = webhooks
        self._faults_changed = faults_changed

    def routes(self) -> list[web.RouteDef]:
        """Its paths."""
        return [
            web.get("/healthz", self.health),
            web.get("/sandbox/faults", self.faults),
            web.post("/sandbox/faults", self.add_fault),
            web.delete("/sandbox/faults", self.end_faults),
            web.delete("/sandbox/faults/{id}", self.end_fault),
            web.get("/sandbox/unsubscribed", self.unsubscribed),
            web.post("/sandbox/unsubscribed", self.set_unsubscribed),
            web.get("/sandbox/in-flight", self.in_flight),
            web.delete("/sandbox/messages", self.forget_messages),
            web.get("/sandbox/ledger", self.ledger),
            web.get("/sandbox/callbacks", self.callbacks),
            web.post("/sandbox/callbacks", self.set_callbacks),
            web.post("/sandbox/inbound", self.inbound),
        ]

    async def health(self, _request: web.Request) -> web.Response:
        """Say that it lives, and who it is."""
        return json_response({"status": "ok", "pid": os.getpid(), "account_sid": self._account.sid})

    async def faults(self, _request: web.Request) -> web.Response:
        """Every fault that was not deleted, with how often it struck."""
        return json_response({"faults": [report.model_dump(mode="json") for report in self._board.reports()]})

    async def add_fault(self, request: web.Request) -> web.Response:
        """Put a fault in force."""
        try:
            spec = FaultSpec.model_validate_json(await request.read())
        except ValidationError as error:
            return _invalid(error, FaultSpec)
        fault = self._board.add(spec)
        await self._faults_changed()
        return json_response(fault.report().model_dump(mode="json"), 201)

    async def end_faults(self, _request: web.Request) -> web.Response:
        """End all faults; says how they ended."""
        return await self._end(None)

    async def end_fault(self, request: web.Request) -> web.Response:
        """End one fault."""
        return await self._end(request.match_info["id"])

    async def unsubscribed(self, _request: web.Request) -> web.Response:
        """The numbers that are refused with 21610."""
        return json_response({"numbers": sorted(self._account.unsubscribed)})

    async def set_unsubscribed(self, request: web.Request) -> web.Response:
        """Set the numbers that are refused with 21610: these and no others."""
        try:
            given = Unsubscribed.model_validate_json(await request.read())
        except ValidationError as error:
            return _invalid(error, Unsubscribed)
        self._account.unsubscribed = frozenset(given.numbers)
        return await self.unsubscribed(request)

    async def in_flight(self, _request: web.Request) -> web.Response:
        """List the numbers of SMS that we have been asked to send and have not answered."""
        return json_response({"numbers": sorted(+self._account.in_flight)})

    async def forget_messages(self, _request: web.Request) -> web.Response:
        """Forget what look-ups find; the ledger keeps it."""
        return json_response({"forgotten": self._store.forget()})

    async def ledger(self, request: web.Request) -> web.StreamResponse:
        """Counts by channel and event; with `full=1` the ledger itself."""
        if request.query.get("full") == "1":
            return web.FileResponse(self._ledger.path, headers={"Content-Type": "application/x-ndjson"})
        counts: dict[str, dict[str, int]] = {
            "sms": {"accepted": 0, "refused": 0},
            "email": {"accepted": 0, "refused": 0},
        }
        for (channel, event), number in self._ledger.counts.items():
            counts[channel][event] = number
        return json_response({**counts, "path": str(self._ledger.path)})

    async def callbacks(self, _request: web.Request) -> web.Response:
        """What became of the status callbacks."""
        return json_response({result: self._callbacks.counts[result] for result in RESULTS})

    async def set_callbacks(self, request: web.Request) -> web.Response:
        """Set how the status callbacks of messages to come misbehave: so and not otherwise."""
        try:
            habits = CallbackHabits.model_validate_json(await request.read())
        except ValidationError as error:
            return _invalid(error, CallbackHabits)
        self._callbacks.habits = habits
        return json_response(habits.model_dump(mode="json"))

    async def inbound(self, request: web.Request) -> web.Response:
        """Let somebody write to us; says what the webhook answered, each time that it was told of it."""
        try:
            message = InboundMessage.model_validate_json(await request.read())
        except ValidationError as error:
            return _invalid(error, InboundMessage)
        webhook = message.webhook(self._account)
        replies = [await self._webhooks.post(webhook) for _ in range(message.repeat)]
        answers = [None if reply is None else {"status": reply.status, "body": reply.body} for reply in replies]
        return json_response({"sid": webhook.form["MessageSid"], "answers": answers})

    async def _end(self, fault_id: str | None) -> web.Response:
        ended = self._board.remove(fault_id)
        if fault_id is not None and not ended:
            problem = {"what": "no such fault", "where": fault_id, "how": "GET /sandbox/faults lists them"}
            return json_response({"errors": [problem]}, 404)
        await self._faults_changed()
        return json_response({"faults": [fault.report().model_dump(mode="json") for fault in ended]})


def _invalid(error: ValidationError, model: type[BaseModel]) -> web.Response:
    problems = [_problem(detail, model) for detail in error.errors(include_url=False, include_input=False)]
    return json_response({"errors": problems}, 422)


def _problem(detail: ErrorDetails, model: type[BaseModel]) -> dict[str, Any]:
    """What is wrong, where, and how to mend it."""
    if detail["type"] == "misfit":
        return dict(detail["ctx"])
    where = ".".join(str(part) for part in detail["loc"])
    field = model.model_fields.get(where.partition(".")[0])
    known = f"one of the fields {', '.join(model.model_fields)}"
    how = field.description if field is not None and field.description else known
    return {"what": detail["msg"], "where": where or "the body", "how": how if where else "send a JSON object"}
