"""A list of messages, filtered and in pages, as Twilio's API gives it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from deploy.sandbox.message import API_VERSION, Message, Timeline
from deploy.sandbox.message_store import MessageStore
from deploy.sandbox.twilio_error import TwilioError

PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000

#: Before the SID of the last message of the page before.
TOKEN_START = "PA"  # noqa: S105 (no secret: Twilio calls a place in a list a token)


@dataclass(frozen=True, slots=True)
class MessageQuery:
    """What is asked for. A message without `date_sent` yet matches none of the dates."""

    filters: dict[str, str]
    """As they came, for the links to other pages."""
    to: str | None
    sender: str | None
    not_before: float | None
    not_after: float | None
    page: int
    page_size: int
    token: str | None

    @classmethod
    def read(cls, given: Mapping[str, str]) -> "MessageQuery":
        """Read a query string.

        Raises:
            TwilioError: a date or a number can't be read.
        """
        known = ("To", "From", "DateSent", "DateSent<", "DateSent>")
        not_before, not_after = _day(given.get("DateSent"))
        if since := given.get("DateSent>"):
            not_before = _moment("DateSent>", since).timestamp()
        if until := given.get("DateSent<"):
            not_after = _moment("DateSent<", until).timestamp()
        return cls(
            filters={name: given[name] for name in known if given.get(name)},
            to=given.get("To") or None,
            sender=given.get("From") or None,
            not_before=not_before,
            not_after=not_after,
            page=_number("Page", given.get("Page"), 0),
            page_size=min(max(_number("PageSize", given.get("PageSize"), PAGE_SIZE), 1), MAX_PAGE_SIZE),
            token=given.get("PageToken") or None,
        )

    def page_of(self, store: MessageStore, account_sid: str, now: float, timeline: Timeline) -> dict[str, Any]:
        """The page, the newest message first."""

        def matches(message: Message) -> bool:
            return self._matches(message, now, timeline)

        skip = 0 if self.token else self.page * self.page_size
        after = self.token.removeprefix(TOKEN_START) if self.token else None
        found = list(islice(store.newest_first(self.to, matches, after), skip, skip + self.page_size + 1))
        shown = found[: self.page_size]
        first = self.page * self.page_size
        return {
            "end": first + max(len(shown) - 1, 0),
            "first_page_uri": self._uri(account_sid, 0),
            "messages": [message.to_json(account_sid, now, timeline) for message in shown],
            "next_page_uri": self._uri(account_sid, self.page + 1, shown[-1]) if len(found) > len(shown) else None,
            "page": self.page,
            "page_size": self.page_size,
            "previous_page_uri": self._uri(account_sid, self.page - 1) if self.page else None,
            "start": first,
            "uri": self._uri(account_sid, self.page),
        }

    def _matches(self, message: Message, now: float, timeline: Timeline) -> bool:
        if self.sender is not None and message.sent_from(message.status(now, timeline)) != self.sender:
            return False
        if self.not_before is None and self.not_after is None:
            return True
        sent = message.sent_at(now, timeline)
        if sent is None:
            return False
        late_enough = self.not_before is None or sent >= self.not_before
        return late_enough and (self.not_after is None or sent <= self.not_after)

    def _uri(self, account_sid: str, page: int, last: Message | None = None) -> str:
        query = {**self.filters, "PageSize": str(self.page_size), "Page": str(page)}
        if last is not None:
            query["PageToken"] = TOKEN_START + last.sid
        return f"/{API_VERSION}/Accounts/{account_sid}/Messages.json?{urlencode(query)}"


def _number(name: str, given: str | None, default: int) -> int:
    if not given:
        return default
    if not given.isascii() or not given.isdigit():
        raise TwilioError(20001, name)
    return int(given)


def _day(given: str | None) -> tuple[float | None, float | None]:
    """From when to when `DateSent` is: a day for a date, a second for a moment that isn't midnight."""
    if not given:
        return None, None
    start = _moment("DateSent", given)
    midnight = (start.hour, start.minute, start.second) == (0, 0, 0)
    end = start + timedelta(days=1, seconds=-1) if midnight else start
    return start.timestamp(), end.timestamp()


def _moment(name: str, given: str) -> datetime:
    """A date or a moment, UTC unless it says otherwise (ISO 8601)."""
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise TwilioError(20001, name) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
