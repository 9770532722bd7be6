"""An SMTP conversation of the sandbox: aiosmtpd's, with faults, and with a quicker way through its busiest parts."""

import asyncio
import re
import ssl
from contextlib import suppress
from typing import Any, Final, NoReturn, cast

from aiosmtpd.smtp import SMTP, Envelope

from deploy.sandbox.door import reset
from deploy.sandbox.fault import TOLD_TO_FAIL, Kind, Stage
from deploy.sandbox.fault_board import Strike
from deploy.sandbox.mail_handler import MailHandler

#: Bytes; the limit that EHLO tells.
MAX_MESSAGE = 25 * 1024 * 1024

#: Bytes in a line, CRLF among them (RFC 5321 section 4.5.3.1.6).
MAX_LINE = 1000

#: A path with its parameters (RFC 5321 section 4.1.2, without source routes). aiosmtpd's own parser takes nearly
#: anything for an address, and 60 times as long.
PATH: Final = re.compile(r'<((?:"(?:[^"\\]|\\.)*"|[^\s<>"@]+)@[^\s<>"@]+)>(.*)')

DOT_LINE: Final = b".\r\n"

TOO_MUCH: Final = "552 5.3.4 Error: Too much mail data"

#: Real seconds without a command after which a connection is closed.
IDLE_SECONDS = 3600


class MailProtocol(SMTP):
    """One connection."""

    line_length_limit = MAX_MESSAGE  # what the reader takes at once; lines are checked once the message is there

    def __init__(self, handler: MailHandler, hostname: str, tls: ssl.SSLContext | None) -> None:
        """Serve one connection."""
        super().__init__(
            handler,
            data_size_limit=MAX_MESSAGE,
            enable_SMTPUTF8=True,
            hostname=hostname,
            ident="Cadenza sandbox",
            tls_context=tls,
            timeout=IDLE_SECONDS,
            auth_require_tls=False,
            authenticator=handler.authenticate,
            loop=asyncio.get_running_loop(),
        )
        self._mail = handler

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be known to the handler."""
        self._mail.protocols.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Be forgotten."""
        self._mail.protocols.discard(self)
        super().connection_lost(error)

    @property
    def idle(self) -> bool:
        """Whether no message is under way."""
        return self.envelope is None or self.envelope.mail_from is None

    def close(self) -> None:
        """Close the connection in an orderly way."""
        if self.transport is not None:
            self.transport.close()

    async def say_and_close(self, reply: str) -> NoReturn:
        """Send a reply and close the connection, as 421 demands (RFC 5321 section 3.8)."""
        await self.push(reply)
        self.close()
        await _forever()

    async def suffer(self, strike: Strike) -> str | None:
        """Let a strike happen; gives the reply that it wants to be sent, None when the conversation goes on."""
        if strike.delay:
            await asyncio.sleep(strike.delay)
        if strike.fault is None:
            return None
        spec = strike.fault.spec
        if spec.kind is Kind.REPLY:
            reply = f"{spec.code} {spec.text or TOLD_TO_FAIL}"
            return await self.say_and_close(reply) if spec.code == 421 else reply
        if spec.kind is Kind.RESET:
            reset(cast(asyncio.Transport, self.transport))
        elif spec.kind is Kind.DROP:
            self.close()
        return await _forever()

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802 (aiosmtpd's name)
        """Read a message to its final dot, and hand it to the handler."""
        if await self.check_helo_needed():
            return
        envelope = self.envelope
        if envelope is None or not envelope.rcpt_tos:
            await self.push("503 Error: need RCPT command")
        elif arg:
            await self.push("501 Syntax: DATA")
        else:
            try:
                await self.push(await self._take(envelope))
            finally:
                self._set_post_data_state()  # type: ignore[no-untyped-call]

    async def _take(self, envelope: Envelope) -> str:
        """Take a message from DATA to its final dot; gives the reply."""
        to = envelope.rcpt_tos[0]
        if strike := self._mail.board.pick("email", Stage.DATA, to):
            self._mail.refuse_struck(envelope, strike)
            if reply := await self.suffer(strike):
                return reply
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        if strike := self._mail.board.pick("email", Stage.BODY, to):
            self._mail.refuse_struck(envelope, strike)
            await self.suffer(strike)
        content = await self._read_to_dot()
        if max(map(len, content.split(b"\r\n"))) + 2 > MAX_LINE:
            return "500 Line too long (see RFC5321 4.5.3.1.6)"
        if b"\r\n." in content or content.startswith(b"."):  # transparency, RFC 5321 section 4.5.2
            content = content.removeprefix(b".").replace(b"\r\n.", b"\r\n")
        envelope.original_content = envelope.content = content
        return await self._mail.take_message(self, envelope)

    async def _read_to_dot(self) -> bytes:
        body = bytearray()
        while not (body == DOT_LINE or body.endswith(b"\r\n" + DOT_LINE)):
            try:
                body += await self._reader.readuntil(DOT_LINE)
            except asyncio.LimitOverrunError:
                await self.say_and_close(TOO_MUCH)
            if len(body) > MAX_MESSAGE:
                await self.say_and_close(TOO_MUCH)
        return bytes(body[: -len(DOT_LINE)])

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        path = PATH.fullmatch(arg)
        return (path[1], path[2]) if path else (None, None)

    async def _handle_client(self) -> None:
        with suppress(ConnectionError):  # the client went while it was being answered: there is nobody to tell
            await super()._handle_client()


async def _forever() -> NoReturn:
    """Wait until the connection is gone: aiosmtpd ends the conversation then."""
    waiting: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    await waiting
    raise AssertionError  # nobody sets it
