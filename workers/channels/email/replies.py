"""SMTP replies (RFC 5321 section 4.2)."""

from typing import NamedTuple

from engine.rules.answers import Stage
from workers.channels.email.link import Link


class Reply(NamedTuple):
    """What the server said, and at which stage."""

    stage: Stage
    code: int
    """-1: it is no code."""
    text: str

    @property
    def accepts(self) -> bool:
        """Whether the message was taken."""
        return self.stage == "dot" and 200 <= self.code < 300


class Refused(OSError):  # noqa: N818 (a fact, as in engine.errors)
    """A server gave no welcome: it refused the connection, the encryption or the credentials."""

    def __init__(self, reply: Reply) -> None:
        """Keep the reply."""
        super().__init__(f"{reply.code} {reply.text}")
        self.reply = reply


async def read_reply(link: Link, stage: Stage) -> Reply:
    """Read a reply of any number of lines.

    Raises:
        Broken: none came.
    """
    texts: list[bytes] = []
    while True:
        line = await link.line()
        texts.append(line[4:].strip(b" \t\r\n"))
        try:
            code = int(line[:3])
        except ValueError:
            code = -1
            break
        if line[3:4] != b"-":
            break
    return Reply(stage, code, b"\n".join(texts).decode("utf-8", "replace"))
