"""The email channel: hands messages to an SMTP server (RFC 5321)."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from engine.errors import InvalidInput, Unavailable
from engine.rules.answers import Stage, masked, smtp_outcome
from engine.rules.doubt import Sighting
from engine.rules.outcome import Outcome
from engine.settings import Settings
from schema.mailbox import check_address, read_sender
from schema.states import AttemptOutcome
from workers.channels.channel import Email, LookUpFailed, Message
from workers.channels.deadlines import Deadline, Deadlines
from workers.channels.email.mime import build
from workers.channels.email.pool import ConnectionPool
from workers.channels.email.replies import Refused
from workers.channels.email.server import SmtpServer, parse_smtp_url


@dataclass(frozen=True, slots=True)
class _Envelope:
    """An email, ready to be sent."""

    sender: str
    recipient: str
    copies: tuple[str, ...]
    message: bytes
    message_id: str


class _StaleConnection(Exception):  # noqa: N818 (a fact, as in engine.errors)
    """A connection that had served before was closed by the server when this message began."""


class EmailChannel:
    """Sends over pooled connections, one for each message that is under way.

    The final dot is begun within `timeout` of the call and its reply awaited for as long, so a call ends within
    twice the time-out; that is why the time-out is at most half the lease.
    """

    def __init__(self, server: SmtpServer, timeout: float) -> None:
        """Prepare the channel; nothing is connected yet. `timeout` is in real seconds."""
        self._server = server
        self._timeout = timeout
        self._where = f"{server.host}:{server.port}"
        self._pool = ConnectionPool(server, timeout)
        self._deadlines = Deadlines(timeout)

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """The channel that the settings describe.

        Raises:
            InvalidInput: they don't describe one.
        """
        if settings.smtp_url is None:
            raise InvalidInput("CADENZA_SMTP_URL is not set: give the SMTP server, or start `cadenza sandbox`")
        try:
            read_sender(settings.email_from)
        except ValueError:
            raise InvalidInput(
                f"CADENZA_EMAIL_FROM is {settings.email_from!r}, which has no email address: write"
                " `Name <name@example.com>` or name@example.com"
            ) from None
        return cls(parse_smtp_url(settings.smtp_url.get_secret_value()), settings.provider_timeout)

    async def send(self, message: Message) -> Outcome:
        """Hand one email over; see `Sender.send`."""
        if not isinstance(message, Email):
            raise TypeError(f"the email channel can't send {type(message).__name__}")
        try:
            envelope = _Envelope(
                read_sender(message.sender).address,
                check_address(message.to),
                tuple([read_sender(copy).address for copy in message.cc]),
                build(message),
                message.message_id,
            )
        except ValueError as problem:
            return Outcome(AttemptOutcome.REFUSED, detail=masked(str(problem)))
        deadline = self._deadlines.start()
        try:
            try:
                return await self._hand_over(envelope, deadline, fresh=False)
            except _StaleConnection:
                return await self._hand_over(envelope, deadline, fresh=True)
        finally:
            deadline.end()

    def look_up(self, message: Message, since: datetime) -> Sighting:
        """SMTP can't be asked (promise P3); see `Channel.look_up`."""
        raise LookUpFailed(f"SMTP has no look-up for a message of {since:%Y-%m-%d}", for_good=True)

    def check(self) -> str:
        """Connect and log in; see `Channel.check`. Not for the event loop's thread."""
        try:
            asyncio.run(self._log_in())
        except (OSError, ValueError) as error:
            raise Unavailable(f"the mail server at {self._where}: {masked(_no_connection(error).detail)}") from None
        return f"the mail server at {self._where} takes the log-in"

    async def close(self) -> None:
        """Close the connections."""
        self._deadlines.close()
        self._pool.close()
        await asyncio.sleep(0)  # so that what was said at last is written

    async def _log_in(self) -> None:
        async with asyncio.timeout(self._timeout):
            connection = await ConnectionPool(self._server, self._timeout).take(fresh=True)
            connection.leave()

    async def _hand_over(self, envelope: _Envelope, deadline: Deadline, *, fresh: bool) -> Outcome:
        try:
            connection = await self._pool.take(fresh=fresh)
        except (OSError, ValueError) as error:
            return _no_connection(error)
        except asyncio.CancelledError:
            if not deadline.expired:
                raise
            return _no_connection(TimeoutError("the server is too slow"))
        used = connection.used > 0
        try:
            reply = await connection.deliver(
                envelope.sender, envelope.recipient, envelope.copies, envelope.message, deadline
            )
        except OSError as error:
            connection.abort()
            if used and connection.stage == "mail":
                raise _StaleConnection from error
            return _no_reply(connection.stage, error)
        except asyncio.CancelledError:
            connection.abort()
            if not deadline.expired:
                raise
            return _no_reply(connection.stage, TimeoutError("the server is too slow"))
        connection.settle(reply)
        self._pool.give_back(connection)
        if reply.accepts:
            return Outcome(AttemptOutcome.ACCEPTED, provider_id=envelope.message_id, detail=masked(reply.text))
        if used and reply.stage == "mail" and reply.code == 421:
            raise _StaleConnection
        return smtp_outcome(reply.code, reply.text, reply.stage)


def _no_connection(error: Exception) -> Outcome:
    if isinstance(error, Refused):
        return smtp_outcome(error.reply.code, error.reply.text, "connect")
    return Outcome(AttemptOutcome.HELD, detail=masked(f"no connection: {error}"))


def _no_reply(stage: Stage, error: OSError) -> Outcome:
    if stage == "dot":
        return Outcome(AttemptOutcome.UNANSWERED, detail=masked(f"no reply to the message: {error}"))
    return Outcome(AttemptOutcome.HELD, detail=masked(f"dropped before the final dot: {error}"))
