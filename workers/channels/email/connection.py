"""One SMTP connection that knows until when a message is definitely not sent."""

import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Self

from engine.rules.answers import Stage
from workers.channels.deadlines import Deadline
from workers.channels.email.link import Link
from workers.channels.email.login import log_in
from workers.channels.email.replies import Reply, read_reply
from workers.channels.email.server import SmtpServer
from workers.channels.wire import Broken, connect

#: Real seconds that the first message of a connection waits before its dot for the server to hang up. One that takes
#: no messages (a filter, a full disk) often says 354 and closes: if that is heard in time, nothing is in doubt. It
#: does so on new connections only, since hanging up ends them; all others go on at once.
_LAST_LOOK: Final = 0.005


#: Instead of the class of a good reply: whatever the server says.
COPY: Final = 0


class Connection:
    """An SMTP connection that delivers one message after another.

    `stage` is where the conversation stands. Before `dot`, nothing that happens can mean that the message was
    taken: its last line, the dot, has not been begun. From then on only a reply tells.
    """

    def __init__(self, link: Link, features: dict[str, str]) -> None:
        """Use a link that is logged in."""
        self._link = link
        self._pipelining = "pipelining" in features
        self._size = "size" in features
        self.stage: Stage = "mail"
        self.used = 0
        self.idle_since = 0.0
        self._unfinished = False

    @classmethod
    async def open(cls, server: SmtpServer, context: ssl.SSLContext, own_name: str, seconds: float) -> Self:
        """Connect, each address within so many real seconds, and log in.

        Raises:
            OSError: there is no connection, or no welcome.
            ValueError: what the server says can't be understood.
        """
        link = await connect(Link, server.host, server.port, seconds)
        try:
            return cls(link, await log_in(link, server, context, own_name))
        except BaseException:
            link.abort()
            raise

    @property
    def is_open(self) -> bool:
        """Whether another message may be tried."""
        return self._link.is_open

    async def deliver(
        self, sender: str, recipient: str, copies: Sequence[str], message: bytes, deadline: Deadline
    ) -> Reply:
        """Hand a message over and return the reply that settled it: the first refusal, or the one to the dot.

        That the server refuses a copy settles nothing: the recipient gets the message all the same.

        The dot gets the full time once more.

        Raises:
            OSError: there was none; `stage` tells whether the message may have been taken.
        """
        self.stage = "mail"
        await self._reset()
        refusal = await self._announce(sender, recipient, copies, len(message))
        if refusal is not None:
            return refusal
        link = self._link
        try:
            link.write(_dots_doubled(message))
            await link.flush()
        except Broken:
            if link.has_unread:
                return await self._last_words()
            raise
        if await link.hung_up(0.0 if self.used else _LAST_LOOK):
            return await self._last_words()
        deadline.renew()
        self.stage = "dot"
        link.write(b".\r\n")
        return await read_reply(link, "dot")

    async def _announce(self, sender: str, recipient: str, copies: Sequence[str], size: int) -> Reply | None:
        """Send the envelope, in one go if the server can take that (RFC 2920); None: it wants the message."""
        options = f" SIZE={size}" if self._size else ""
        commands: tuple[tuple[Stage, bytes, int], ...] = (
            ("mail", f"MAIL FROM:<{sender}>{options}\r\n".encode(), 2),
            ("rcpt", f"RCPT TO:<{recipient}>\r\n".encode(), 2),
            *(("rcpt", f"RCPT TO:<{copy}>\r\n".encode(), COPY) for copy in copies),
            ("data", b"DATA\r\n", 3),
        )
        link = self._link
        if not self._pipelining:
            for self.stage, command, good in commands:
                link.write(command)
                reply = await read_reply(link, self.stage)
                if good != COPY and reply.code // 100 != good:
                    return reply
            return None
        link.write(b"".join([command for _, command, _ in commands]))
        refusal: Reply | None = None
        for self.stage, _, good in commands:
            try:
                reply = await read_reply(link, self.stage)
            except OSError:
                if refusal is None:
                    raise
                return refusal
            if refusal is None and good != COPY and reply.code // 100 != good:
                refusal = reply
        if refusal is not None and reply.code // 100 == 3:
            link.abort()  # it waits for a message to nobody: hanging up before the dot sends none
        return refusal

    async def _last_words(self) -> Reply:
        """Read what the server said before it hung up on an unfinished message."""
        try:
            return await read_reply(self._link, self.stage)
        finally:
            self._link.abort()

    async def _reset(self) -> None:
        """Forget a message that was refused half-way; here, since nobody waits for its outcome any more."""
        if self._unfinished:
            self._link.write(b"RSET\r\n")
            if (await read_reply(self._link, "mail")).code != 250:
                raise Broken("the server does not forget the message before")
            self._unfinished = False

    def settle(self, reply: Reply) -> None:
        """Note how a message ended; a connection that can't take another one is closed."""
        self.used += 1
        self._unfinished = not reply.accepts
        if not reply.accepts and (reply.code == 421 or not 400 <= reply.code < 600):
            self.abort()

    def leave(self) -> None:
        """Say QUIT and close, without waiting for the answer: nothing depends on it."""
        with suppress(Broken):  # it is gone already, which is as good
            self._link.write(b"QUIT\r\n")
        self._link.close()

    def abort(self) -> None:
        """Close at once."""
        self._link.abort()


def _dots_doubled(message: bytes) -> bytes:
    """Double a dot at the start of a line (RFC 5321 section 4.5.2). Lines end in CRLF, the first is a header."""
    return message.replace(b"\r\n.", b"\r\n..")
