"""Webhooks: what Twilio posts to us, signed with the account's token; or forged, on request."""

from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp
from twilio.request_validator import RequestValidator
from yarl import URL

from deploy.sandbox.account import Account

#: Real seconds, as Twilio's webhooks have them (twilio.com/docs/usage/webhooks/webhooks-connection-overrides).
CONNECT_SECONDS, TOTAL_SECONDS = 5, 15

#: Tries of a webhook: one again, when no connection could be made.
TRIES = 2

#: At the same time.
IN_FLIGHT = 32


@dataclass(frozen=True, slots=True)
class Webhook:
    """A request to make."""

    url: str
    form: dict[str, str]
    forged: bool = False
    """Signed with a token that is not the account's."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What it was answered with."""

    status: int
    body: str


class Webhooks:
    """Posts webhooks; `async with` opens the connections and closes them."""

    def __init__(self, account: Account) -> None:
        """Prepare."""
        self._signer = RequestValidator(account.token)  # type: ignore[no-untyped-call]
        self._forger = RequestValidator(account.token + " forged")  # type: ignore[no-untyped-call]

    async def post(self, webhook: Webhook) -> Reply | None:
        """Post one; None: nobody answered."""
        signer = self._forger if webhook.forged else self._signer
        signature = signer.compute_signature(webhook.url, webhook.form)  # type: ignore[no-untyped-call]
        headers = {"X-Twilio-Signature": signature, "User-Agent": "TwilioProxy/1.1"}
        url = URL(webhook.url, encoded=True)  # as it was signed, character for character
        for _ in range(TRIES):
            try:
                # a redirect could lead away from this machine
                async with self._session.post(
                    url, data=webhook.form, headers=headers, allow_redirects=False
                ) as response:
                    return Reply(response.status, await response.text(errors="replace"))
            except aiohttp.ClientConnectorError:
                continue
            except (aiohttp.ClientError, TimeoutError):
                return None
        return None

    async def __aenter__(self) -> Self:
        """Open."""
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=TOTAL_SECONDS, sock_connect=CONNECT_SECONDS),
            connector=aiohttp.TCPConnector(limit=IN_FLIGHT),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self._session.close()
