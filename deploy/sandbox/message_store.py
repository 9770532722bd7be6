"""The text messages that the sandbox accepted, to fetch and to list."""

import secrets
import time
from collections.abc import Callable, Iterator

from deploy.sandbox.ledger import Entry
from deploy.sandbox.message import Message


class MessageStore:
    """All messages, in the order in which they were accepted."""

    def __init__(self) -> None:
        """Begin empty."""
        self._all: list[Message] = []
        self._by_sid: dict[str, Message] = {}
        self._by_recipient: dict[str, list[Message]] = {}

    def make(
        self,
        *,
        to: str,
        sender: str | None,
        messaging_service_sid: str | None,
        body: str,
        media: tuple[str, ...],
        status_callback: str | None,
    ) -> Message:
        """Make a message with a SID of its own, without keeping it."""
        return Message(
            sid=("MM" if media else "SM") + secrets.token_hex(16),
            at=time.time(),
            to=to,
            sender=sender,
            messaging_service_sid=messaging_service_sid,
            body=body,
            media=media,
            status_callback=status_callback,
            number=len(self._all),
        )

    def keep(self, message: Message) -> None:
        """Keep a message that is in the ledger."""
        self._all.append(message)
        self._by_sid[message.sid] = message
        self._by_recipient.setdefault(message.to, []).append(message)

    def restore(self, entry: Entry) -> None:
        """Keep what an earlier sandbox accepted."""
        if entry.id is not None and entry.to is not None:
            self.keep(
                Message(
                    sid=entry.id,
                    at=entry.at,
                    to=entry.to,
                    sender=entry.sender,
                    messaging_service_sid=entry.messaging_service_sid,
                    body=entry.body or "",
                    media=entry.media,
                    status_callback=entry.status_callback,
                    number=len(self._all),
                )
            )

    def forget(self) -> int:
        """Forget all messages, as if the account were new; return how many there were. The ledger keeps them."""
        forgotten = len(self._all)
        self._all.clear()
        self._by_sid.clear()
        self._by_recipient.clear()
        return forgotten

    def get(self, sid: str) -> Message | None:
        """The message with a SID."""
        return self._by_sid.get(sid)

    def newest_first(self, to: str | None, matches: Callable[[Message], bool], after: str | None) -> Iterator[Message]:
        """Messages to a recipient, or all, that match; with `after`, those older than the message with that SID."""
        last = None if after is None else self._by_sid.get(after)
        before = len(self._all) if last is None else last.number
        for message in reversed(self._all if to is None else self._by_recipient.get(to, [])):
            if message.number < before and matches(message):
                yield message
