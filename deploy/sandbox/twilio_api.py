"""The part of Twilio's REST API that sends messages: create, fetch and list."""

import time
from collections.abc import Awaitable, Callable
from hmac import compare_digest
from typing import TypeAlias

from aiohttp import web

from deploy.sandbox.account import Account
from deploy.sandbox.fault import Stage
from deploy.sandbox.fault_board import FaultBoard
from deploy.sandbox.http_faults import json_response, refusal_code, suffer
from deploy.sandbox.ledger import Entry, LedgerWriter
from deploy.sandbox.message import API_VERSION, Message, Timeline
from deploy.sandbox.message_list import MessageQuery
from deploy.sandbox.message_rules import MessageForm, check_message
from deploy.sandbox.message_store import MessageStore
from deploy.sandbox.status_callbacks import StatusCallbacks
from deploy.sandbox.twilio_error import TwilioError

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.Response]]

MESSAGES = f"/{API_VERSION}/Accounts/{{account_sid}}/Messages"


class TwilioApi:
    """Answers as Twilio does, after the faults in force."""

    def __init__(
        self,
        account: Account,
        timeline: Timeline,
        store: MessageStore,
        ledger: LedgerWriter,
        board: FaultBoard,
        callbacks: StatusCallbacks,
    ) -> None:
        """Put it together."""
        self._account = account
        self._timeline = timeline
        self._store = store
        self._ledger = ledger
        self._board = board
        self._callbacks = callbacks

    def routes(self) -> list[web.RouteDef]:
        """Its paths; any other under the API's version gets Twilio's 20404."""
        return [
            web.post(f"{MESSAGES}.json", _refusing(self.create)),
            web.get(f"{MESSAGES}.json", _refusing(self.list)),
            web.get(f"{MESSAGES}/{{sid}}.json", _refusing(self.fetch)),
            web.route("*", f"/{API_VERSION}{{rest:.*}}", _refusing(self.unknown)),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """Accept a message, or refuse it; either is in the ledger before the answer goes out."""
        form = MessageForm.read(await request.read())
        self._account.in_flight[form.to or ""] += 1
        try:
            return await self._create(form, request)
        finally:
            self._account.in_flight[form.to or ""] -= 1

    async def _create(self, form: MessageForm, request: web.Request) -> web.Response:
        try:
            self._authorize(request)
            if strike := self._board.pick("sms", Stage.REQUEST, form.to):
                if strike.fault is not None:
                    self._refuse(form, code=refusal_code(strike.fault.spec), fault=strike.fault.id)
                if (reply := await suffer(strike, request)) is not None:
                    return reply
            to = check_message(form, self._account.unsubscribed)
        except TwilioError as error:
            self._refuse(form, code=error.code)
            raise
        return await self._accept(form, to, request)

    async def fetch(self, request: web.Request) -> web.Response:
        """Show a message."""
        self._authorize(request)
        message = self._store.get(request.match_info["sid"])
        strike = self._board.pick("sms", Stage.LOOKUP, None if message is None else message.to)
        if strike and (reply := await suffer(strike, request)) is not None:
            return reply
        if message is None:
            raise TwilioError(20404, request.path)
        return json_response(message.to_json(self._account.sid, time.time(), self._timeline))

    async def list(self, request: web.Request) -> web.Response:
        """List messages, the newest first, in pages."""
        self._authorize(request)
        query = MessageQuery.read(request.query)
        strike = self._board.pick("sms", Stage.LOOKUP, query.to)
        if strike and (reply := await suffer(strike, request)) is not None:
            return reply
        return json_response(query.page_of(self._store, self._account.sid, time.time(), self._timeline))

    async def unknown(self, request: web.Request) -> web.Response:
        """Refuse what the sandbox doesn't have."""
        raise TwilioError(20404, request.path)

    def _authorize(self, request: web.Request) -> None:
        given = request.headers.get("Authorization", "")
        if not compare_digest(given.encode("utf-8", "surrogateescape"), self._account.authorization.encode()):
            raise TwilioError(20003)
        if request.match_info["account_sid"] != self._account.sid:
            raise TwilioError(20404, request.path)

    async def _accept(self, form: MessageForm, to: str, request: web.Request) -> web.Response:
        message = self._store.make(
            to=to,
            sender=None if form.messaging_service_sid else form.sender,
            messaging_service_sid=form.messaging_service_sid,
            body=form.body,
            media=form.media,
            status_callback=form.status_callback,
        )
        strike = self._board.pick("sms", Stage.ACCEPTED, to)
        self._ledger.write(message.entry(strike.fault.id if strike and strike.fault else None))
        self._store.keep(message)
        self._callbacks.follow(message)
        if strike and (reply := await suffer(strike, request)) is not None:
            return reply
        return self._created(message)

    def _created(self, message: Message) -> web.Response:
        return json_response(message.to_json(self._account.sid, message.at, self._timeline), 201)

    def _refuse(self, form: MessageForm, code: int | None, fault: str | None = None) -> None:
        self._ledger.write(
            Entry(
                at=time.time(),
                channel="sms",
                event="refused",
                to=form.to,
                sender=form.sender,
                messaging_service_sid=form.messaging_service_sid,
                body=form.body,
                media=form.media,
                status_callback=form.status_callback,
                code=code,
                fault=fault,
            )
        )


def _refusing(handler: Handler) -> Handler:
    """A handler whose TwilioError becomes an answer."""

    async def answer(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except TwilioError as error:
            headers = {"WWW-Authenticate": 'Basic realm="Twilio API"'} if error.status == 401 else None
            return json_response(error.to_json(), error.status, headers)

    return answer
