"""What the sandbox's SMTP server does with what it is told: faults, magic mailboxes, the ledger."""

import asyncio
import logging
import secrets
import time
from typing import TYPE_CHECKING, Any, Final

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from deploy.sandbox.email_headers import read_headers
from deploy.sandbox.fault import Stage
from deploy.sandbox.fault_board import FaultBoard, Strike
from deploy.sandbox.ledger import Entry, LedgerWriter
from deploy.sandbox.mailboxes import AT_DOT, AT_RCPT, mailbox
from deploy.sandbox.options import SandboxOptions

if TYPE_CHECKING:
    from deploy.sandbox.mail_protocol import MailProtocol

log = logging.getLogger(__name__)

OK: Final = "250 OK"
CLOSING: Final = "421 4.3.2 the service closes its doors"


class MailHandler:
    """Decides at each stage; aiosmtpd calls `handle_...`, and sends what it returns."""

    def __init__(self, options: SandboxOptions, ledger: LedgerWriter, board: FaultBoard) -> None:
        """Begin with no connection."""
        self.board = board
        self.refusing = False
        """Nobody listens: who is still connected is turned away at the next message."""
        self.protocols: set[MailProtocol] = set()
        self._ledger = ledger
        self._user, self._password = options.smtp_user, options.smtp_password
        self._greylisted: set[str] = set()
        self._late: set[asyncio.Task[str]] = set()

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: Any
    ) -> AuthResult:
        """Accept the configured user and password, refuse all others with 535."""
        expected = (self._user, self._password)
        known = isinstance(given, LoginPassword) and (_text(given.login), _text(given.password)) == expected
        return AuthResult(success=known, handled=False, auth_data=given)

    async def handle_EHLO(  # noqa: N802 (aiosmtpd's name)
        self, _server: "MailProtocol", session: Session, _envelope: Envelope, hostname: str, replies: list[str]
    ) -> list[str]:
        """Say what the server can; AUTH only when there is a user."""
        session.host_name = hostname
        offered = [reply for reply in replies if self._user is not None or not reply.startswith("250-AUTH")]
        return [*offered[:-1], "250-PIPELINING", *offered[-1:]]

    async def handle_MAIL(  # noqa: N802
        self, server: "MailProtocol", session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Begin a message."""
        if self.refusing:
            return await server.say_and_close(CLOSING)
        if self._user is not None and not session.authenticated:
            return "530 5.7.0 Authentication required"
        if (strike := self.board.pick("email", Stage.MAIL)) and (reply := await server.suffer(strike)):
            return reply
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return OK

    async def handle_RCPT(  # noqa: N802
        self, server: "MailProtocol", _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient, unless it is magic."""
        if strike := self.board.pick("email", Stage.RCPT, address):
            self.refuse_struck(envelope, strike, address)
            if reply := await server.suffer(strike):
                return reply
        magic = self._magic_reply(address)
        if magic is not None:
            self._refuse(envelope, address, code=_code(magic))
            return await server.say_and_close(magic) if magic.startswith("421") else magic
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return OK

    async def take_message(self, server: "MailProtocol", envelope: Envelope) -> str:
        """Accept a message that came with its final dot, or refuse it."""
        to = envelope.rcpt_tos[0]
        if strike := self.board.pick("email", Stage.DOT, to):
            self.refuse_struck(envelope, strike)
            if strike.fault is None:
                return await self._accept_late(server, envelope, strike.delay)
            if reply := await server.suffer(strike):
                return reply
        for address in envelope.rcpt_tos:
            if reply := AT_DOT.get(mailbox(address)):
                self._refuse(envelope, *envelope.rcpt_tos, code=_code(reply))
                return reply
        return await self._accept(server, envelope)

    async def handle_exception(self, error: Exception) -> str:
        """Answer for an error of the sandbox's own: the message is not accepted."""
        if not isinstance(error, ConnectionError):  # the client went: there is nobody to tell
            log.error("the sandbox failed at an email", exc_info=error)
        return f"451 4.3.0 the sandbox failed: {type(error).__name__}"

    def refuse_struck(self, envelope: Envelope, strike: Strike, *to: str) -> None:
        """Write down that a fault strikes at a message before it is accepted."""
        if strike.fault is not None:
            spec = strike.fault.spec
            code = None if spec.code is None else _code(f"{spec.code} {spec.text or ''}")
            self._refuse(envelope, *(to or envelope.rcpt_tos), code=code, fault=strike.fault.id)

    async def close(self) -> None:
        """Close all connections, and give up on what would be accepted late."""
        for protocol in list(self.protocols):
            protocol.close()
        for task in self._late:
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)

    def _magic_reply(self, address: str) -> str | None:
        name = mailbox(address)
        if name == "greylist":
            if address in self._greylisted:
                return None
            self._greylisted.add(address)
        return AT_RCPT.get(name)

    async def _accept(self, server: "MailProtocol", envelope: Envelope) -> str:
        content = envelope.original_content or b""
        message_id, subject = read_headers(content)
        raw = content.decode("utf-8", "surrogateescape")
        strike = self.board.pick("email", Stage.ACCEPTED, envelope.rcpt_tos[0])
        now = time.time()
        self._ledger.write(
            *[
                Entry(
                    at=now,
                    channel="email",
                    event="accepted",
                    id=message_id,
                    to=address,
                    sender=envelope.mail_from,
                    subject=subject,
                    raw=raw,
                    fault=strike.fault.id if strike and strike.fault else None,
                )
                for address in envelope.rcpt_tos
            ]
        )
        if strike:
            await server.suffer(strike)
        return f"250 2.0.0 OK: queued as {secrets.token_hex(6)}"

    async def _accept_late(self, server: "MailProtocol", envelope: Envelope, delay: float) -> str:
        """Accept after a while, also when the client has given up waiting: that is what a slow provider does."""

        async def accept() -> str:
            await asyncio.sleep(delay)
            return await self._accept(server, envelope)

        task = asyncio.create_task(accept())
        self._late.add(task)
        task.add_done_callback(self._late.discard)
        return await asyncio.shield(task)

    def _refuse(self, envelope: Envelope, *to: str, code: str | None, fault: str | None = None) -> None:
        message_id = read_headers(envelope.original_content)[0] if envelope.original_content else None
        now = time.time()
        self._ledger.write(
            *[
                Entry(
                    at=now,
                    channel="email",
                    event="refused",
                    id=message_id,
                    to=address,
                    sender=envelope.mail_from,
                    code=code,
                    fault=fault,
                )
                for address in to
            ]
        )


def _code(reply: str) -> str:
    """The code of a reply with its enhanced one: `550 5.1.1`."""
    words = reply.split()
    return " ".join(words[:2]) if len(words) > 1 and words[1].count(".") == 2 else words[0]


def _text(given: bytes | str) -> str:
    return given if isinstance(given, str) else given.decode("utf-8", "replace")
