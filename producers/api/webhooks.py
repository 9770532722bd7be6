"""Twilio's webhooks: what becomes of our messages, and what people send to us."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import psycopg
import structlog
from fastapi import APIRouter, Request, Response
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random
from twilio.twiml.messaging_response import MessagingResponse

from engine.clock import SequenceClock
from engine.database import Database, Session, first_line
from engine.errors import InvalidInput, Unavailable
from engine.rules.opt_out import OptOut
from engine.rules.token import read
from engine.wakeups import Due, Wakeups, WakeupsUnavailable
from producers.api.body import Body
from producers.api.errors import Forbidden
from producers.api.twilio_caller import Form, TwilioCaller
from producers.delivery_reports import DeliveryReport, take_report
from producers.inbound import InboundMessage, Received, receive
from producers.tenants import Tenant, find_tenant

log = structlog.get_logger(__name__)

Done = TypeVar("Done")

#: Twilio waits for 15 seconds and does not call again after an error: what fails for now is tried again meanwhile.
PATIENCE: Final = 8.0

#: Nothing of these is worth keeping.
LEFT_OUT: Final = frozenset({"AccountSid", "ApiVersion"})


@dataclass(frozen=True, slots=True)
class Webhooks:
    """Answers Twilio. Each request is one transaction, committed before the answer."""

    caller: TwilioCaller
    database: Database
    wakeups: Wakeups
    clock: SequenceClock

    def routes(self) -> APIRouter:
        """Its paths. They are worked in threads, since they wait for the database."""
        router = APIRouter(prefix="/webhooks/twilio/{workspace}")
        router.add_api_route("/status", self.status, methods=["POST"])
        router.add_api_route("/inbound", self.inbound, methods=["POST"])
        return router

    def status(self, workspace: str, request: Request, body: Body) -> Response:
        """A message of ours has moved on."""
        form = self.caller.form(request, body)
        token = request.query_params.get("attempt")

        def work(session: Session) -> list[Due]:
            tenant = _tenant(session, workspace)
            return take_report(session, self.clock, tenant, _report(form, tenant, token))

        self._schedule(self._persistently(work))
        return Response(status_code=204)

    def inbound(self, workspace: str, request: Request, body: Body) -> Response:
        """Somebody wrote to a number of ours.

        A STOP is committed when this answers. The confirmation is left to Twilio, which sends its own after the
        keywords (and blocks the sender, code 21610): one from us would be the second, or be blocked. HELP is answered
        with who we are, unless Advanced Opt-Out has answered it already (then there is an OptOutType).
        """
        form = self.caller.form(request, body)
        message = _message(form)

        def work(session: Session) -> tuple[Tenant, Received]:
            tenant = _tenant(session, workspace)
            return tenant, receive(session, tenant, message)

        tenant, received = self._persistently(work)
        self._schedule(received.wakeups)
        help_is_ours = received.says is OptOut.HELP and message.opt_out_type is None
        return Response(_twiml(_help(tenant) if help_is_ours else None), media_type="application/xml")

    def _persistently(self, work: Callable[[Session], Done]) -> Done:
        """Work in one transaction, again when it failed for now: a connection was lost, two were in each other's way.

        Raises:
            Unavailable: it did not come about in time.
        """
        again = Retrying(
            retry=retry_if_exception_type((psycopg.OperationalError, psycopg.InterfaceError)),
            stop=stop_after_delay(PATIENCE),
            wait=wait_random(0.02, 0.2),
            reraise=True,
        )
        try:
            done: Done = again(self._in_transaction, work)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise Unavailable(f"Postgres: {type(error).__name__}") from None
        return done

    def _in_transaction(self, work: Callable[[Session], Done]) -> Done:
        with self.database.transaction() as session:
            return work(session)

    def _schedule(self, wakeups: list[Due]) -> None:
        try:
            if wakeups:
                self.wakeups.schedule(wakeups)
        except WakeupsUnavailable as error:
            log.warning("wake-ups not scheduled: the sweeper will make up for them", error=first_line(error))


def _help(tenant: Tenant) -> str:
    return f"{tenant.name}: you get these messages because you are a contact of ours. Reply STOP to unsubscribe."


def _twiml(text: str | None) -> str:
    """What Twilio is to do: send this text, or nothing (twilio.com/docs/messaging/twiml)."""
    answer = MessagingResponse()  # type: ignore[no-untyped-call]
    if text is not None:
        answer.message(text)  # type: ignore[no-untyped-call]
    return str(answer)


def _tenant(session: Session, public_id: str) -> Tenant:
    tenant = find_tenant(session, public_id)
    if tenant is None:
        raise Forbidden("its URL names no workspace")
    return tenant


def _report(form: Form, tenant: Tenant, token: str | None) -> DeliveryReport:
    attempt = None if token is None else read(tenant.webhook_secret, token)
    if token is not None and attempt is None:
        raise Forbidden("its token is not one of this workspace")
    return DeliveryReport(
        provider_id=_field(form, "MessageSid", "SmsSid"),
        status=_field(form, "MessageStatus", "SmsStatus").lower(),
        error_code=form.get("ErrorCode") or None,
        recipient=form.get("To", ""),
        attempt=attempt,
        payload={name: value for name, value in _plain(form).items() if name != "Body"},
    )


def _message(form: Form) -> InboundMessage:
    return InboundMessage(
        provider_id=_field(form, "MessageSid", "SmsSid", "SmsMessageSid"),
        sender=_field(form, "From"),
        body=form.get("Body", ""),
        opt_out_type=form.get("OptOutType") or None,
        payload=_plain(form),
    )


def _field(form: Form, *names: str) -> str:
    """The first of these fields that there is.

    Raises:
        InvalidInput: there is none.
    """
    for name in names:
        if value := form.get(name, "").replace("\0", ""):
            return value
    raise InvalidInput(f"the form has no {names[0]}")


def _plain(form: Form) -> dict[str, str]:
    """The fields as they can be kept: Postgres takes no NUL."""
    return {
        name.replace("\0", "\ufffd"): value.replace("\0", "\ufffd")
        for name, value in form.items()
        if name not in LEFT_OUT
    }
