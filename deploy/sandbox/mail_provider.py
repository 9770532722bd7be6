"""The SMTP server of the sandbox."""

import asyncio
import ssl
from typing import Self

from deploy.sandbox.door import Door, Doorkeeper
from deploy.sandbox.fault_board import FaultBoard
from deploy.sandbox.ledger import LedgerWriter
from deploy.sandbox.mail_handler import MailHandler
from deploy.sandbox.mail_protocol import MailProtocol
from deploy.sandbox.options import SandboxOptions
from engine.errors import InvalidInput


class MailProvider:
    """Serves SMTP on one port, in the running loop."""

    def __init__(self, options: SandboxOptions, ledger: LedgerWriter, board: FaultBoard) -> None:
        """Put it together; `async with` starts it and raises Unavailable when its port can't be had.

        Raises:
            InvalidInput: the certificate can't be used.
        """
        self._tls = _tls_context(options)
        self._hostname = options.host
        self._handler = MailHandler(options, ledger, board)
        self._keeper = Doorkeeper("email", board, self._protocol)
        self.door = Door(options.host, options.smtp_port, "SMTP server")

    async def follow(self, *, refusing: bool) -> None:
        """Listen, or refuse: then idle connections are closed, and the others at their next message."""
        self._handler.refusing = refusing
        if not refusing:
            await self.door.open(self._keeper)
            return
        self.door.shut()
        for protocol in list(self._handler.protocols):
            if protocol.idle:
                protocol.close()
        await asyncio.sleep(0)  # the sockets are closed in the loop's next round; the caller may count on it

    def _protocol(self) -> asyncio.BaseProtocol:
        return MailProtocol(self._handler, self._hostname, self._tls)

    async def __aenter__(self) -> Self:
        """Listen."""
        await self.door.open(self._keeper)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening, and close every connection."""
        self.door.leave()
        self._keeper.close()
        await self._handler.close()


def _tls_context(options: SandboxOptions) -> ssl.SSLContext | None:
    if options.smtp_certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(options.smtp_certificate, options.smtp_key)
    except OSError as error:  # ssl.SSLError is one
        reason = error.strerror or type(error).__name__
        raise InvalidInput(
            f"the certificate {options.smtp_certificate} with the key {options.smtp_key} can't be used: {reason}"
        ) from None
    return context
