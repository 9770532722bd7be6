"""One SMTP connection: smtplib's, taught to know until when a message is definitely not sent."""

import select
import smtplib
import socket
import ssl
import time
from typing import Final, NamedTuple

from engine.rules.answers import Stage
from workers.channels.email.server import SmtpServer

#: The other side has closed. Linux tells by POLLRDHUP; elsewhere POLLHUP does.
_HUNG_UP: Final = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)

#: Milliseconds that the first message of a connection waits before its dot for the server to hang up. One that takes
#: no messages (a filter, a full disk) often says 354 and closes: if that is heard in time, nothing is in doubt. It
#: does so on new connections only, since hanging up ends them; all others go on at once.
_LAST_LOOK: Final = 5


class Reply(NamedTuple):
    """What the server said at last, and when."""

    stage: Stage
    code: int
    text: str

    @property
    def accepts(self) -> bool:
        """Whether the message was taken."""
        return self.stage == "dot" and 200 <= self.code < 300


class Connection(smtplib.SMTP):
    """An SMTP connection that delivers one message after another.

    `stage` is where the conversation stands. Before `dot`, nothing that happens can mean that the message was
    taken: its last line, the dot, has not been begun. From then on only a reply tells.
    """

    def __init__(self, server: SmtpServer, timeout: float, deadline: float, context: ssl.SSLContext) -> None:
        """Connect and read the greeting. `timeout` is what one answer may take, in real seconds; for `deadline`
        see `begin`.

        Raises:
            OSError: there is no connection, or no welcome (smtplib's exceptions are OSErrors).
        """
        self.stage: Stage = "connect"
        self.used = 0
        self.idle_since = 0.0
        self._unfinished = False
        self._deadline = deadline
        self._server = server
        self._context = context
        super().__init__(server.host, server.port, local_hostname="", timeout=timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        sock = socket.create_connection((host, port), timeout)
        # Nagle would hold the dot back until the peer's delayed ACK.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._server.security == "tls":
            return self._context.wrap_socket(sock, server_hostname=host)
        return sock

    def log_in(self, local_hostname: str) -> None:
        """Introduce ourselves, encrypt and authenticate, as the server is configured.

        Raises:
            OSError: the server wouldn't.
            ValueError: it said what can't be understood.
        """
        self.local_hostname = local_hostname or self._address_literal()
        if self._server.security == "starttls":
            self.starttls(context=self._context)
        self.ehlo_or_helo_if_needed()
        if self._server.user is not None and self._server.password is not None:
            self.stage = "login"
            self.login(self._server.user, self._server.password)

    def _address_literal(self) -> str:
        """What stands for a name where there is none (RFC 5321 section 4.1.3)."""
        address: str = self._open_socket().getsockname()[0]
        return f"[IPv6:{address}]" if ":" in address else f"[{address}]"

    def _open_socket(self) -> socket.socket:
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("not connected")
        return self.sock

    def begin(self, deadline: float) -> None:
        """Start on a message. Unless its dot can be begun before `deadline` (time.monotonic), it is not sent."""
        self.stage = "mail"
        self._deadline = deadline

    def deliver(self, sender: str, recipient: str, message: bytes) -> Reply:
        """Hand a message over and return the reply that settled it: the first refusal, or the one to the dot.

        Raises:
            OSError: there was none; `stage` tells whether the message may have been taken.
        """
        self._reset()
        refusal = self._announce(sender, recipient, len(message))
        if refusal is not None:
            return refusal
        self.send(_dots_doubled(message))
        self._check_time()
        if self._hung_up():
            return self._last_words()
        self.stage = "dot"
        self.send(b".\r\n")
        return self._read_reply()

    def _announce(self, sender: str, recipient: str, size: int) -> Reply | None:
        """Send the envelope, in one go if the server can take that (RFC 2920); None: it wants the message."""
        options = f" SIZE={size}" if self.has_extn("size") else ""
        commands: tuple[tuple[Stage, bytes, int], ...] = (
            ("mail", f"MAIL FROM:<{sender}>{options}\r\n".encode(), 2),
            ("rcpt", f"RCPT TO:<{recipient}>\r\n".encode(), 2),
            ("data", b"DATA\r\n", 3),
        )
        if not self.has_extn("pipelining"):
            for self.stage, command, good in commands:
                self.send(command)
                reply = self._read_reply()
                if reply.code // 100 != good:
                    return reply
            return None
        self.send(b"".join(command for _, command, _ in commands))
        refusal: Reply | None = None
        for self.stage, _, good in commands:
            try:
                reply = self._read_reply()
            except OSError:
                if refusal is None:
                    raise
                return refusal
            if refusal is None and reply.code // 100 != good:
                refusal = reply
        if refusal is not None and reply.code // 100 == 3:
            self.close()  # it waits for a message to nobody: hanging up before the dot sends none
        return refusal

    def _last_words(self) -> Reply:
        """Read what the server said before it hung up on an unfinished message."""
        try:
            return self._read_reply()
        finally:
            self.close()

    def _read_reply(self) -> Reply:
        code, text = self.getreply()
        return Reply(self.stage, code, text.decode("utf-8", "replace"))

    def getreply(self) -> tuple[int, bytes]:
        """Read a reply; give up on a message that is not yet handed over when its time is up."""
        reply = super().getreply()
        if self.stage != "dot":
            self._check_time()
        return reply

    def _check_time(self) -> None:
        if time.monotonic() > self._deadline:
            self.close()
            raise smtplib.SMTPServerDisconnected("the server is too slow")

    def _hung_up(self) -> bool:
        """Whether the server has closed the connection, as far as this machine knows."""
        poll = select.poll()
        poll.register(self._open_socket(), _HUNG_UP)
        return bool(poll.poll(0 if self.used else _LAST_LOOK))

    def _reset(self) -> None:
        """Forget a message that was refused half-way; here, since nobody waits for its outcome any more."""
        if self._unfinished:
            code, _ = self.docmd("RSET")
            if code != 250:
                raise smtplib.SMTPServerDisconnected("the server does not forget the message before")
            self._unfinished = False

    def settle(self, reply: Reply) -> None:
        """Note how a message ended; a connection that can't take another one is closed."""
        self.used += 1
        self._unfinished = not reply.accepts
        if not reply.accepts and (reply.code == 421 or not 400 <= reply.code < 600):
            self.close()

    def leave(self) -> None:
        """Say QUIT and close, without waiting for the answer: nothing depends on it."""
        try:
            if self.sock is not None:
                self.sock.settimeout(1)
                self.putcmd("QUIT")
        except OSError:
            self.close()  # it was gone already, which is as good
        else:
            self.close()


def _dots_doubled(message: bytes) -> bytes:
    """Double a dot at the start of a line (RFC 5321 section 4.5.2). Lines end in CRLF, the first is a header."""
    return message.replace(b"\r\n.", b"\r\n..")
