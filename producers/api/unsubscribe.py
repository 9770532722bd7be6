"""The page by which a recipient unsubscribes. Opening it changes nothing, since scanners open every link of an email.

The button and the mail program's one-click POST (RFC 8058) unsubscribe. The answer comes after the COMMIT.
"""

from dataclasses import dataclass
from html import escape
from typing import Final

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from engine.database import Database
from engine.errors import NotFound
from engine.wakeups import Wakeups
from producers.unsubscribing import subscription_of, unsubscribe
from producers.waking import wake

#: No script, nothing from elsewhere, not in a frame, and no search engine keeps it.
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    "Cache-Control": "no-store",
}

PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 1.125rem/1.6 system-ui, sans-serif; max-width: 32rem; margin: 4rem auto; padding: 0 1rem;
  color: #1a1a1a; background: #ffffff; }}
button {{ font: inherit; padding: .6rem 1.2rem; border: 0; border-radius: .4rem; color: #ffffff; background: #1d4ed8; }}
button:focus-visible {{ outline: 3px solid #93c5fd; outline-offset: 2px; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""

ASK: Final = """<p>{workspace} sends email to <strong>{address}</strong>.</p>
<form method="post"><button type="submit">Unsubscribe</button></form>"""


@dataclass(frozen=True, slots=True)
class UnsubscribePage:
    """Answers whoever follows the link, and mail programs."""

    database: Database
    wakeups: Wakeups

    def routes(self) -> APIRouter:
        """Return its paths."""
        router = APIRouter()
        path = "/unsubscribe/{public_id}/{token}"
        router.add_api_route(path, self.show, methods=["GET", "HEAD"], response_class=HTMLResponse)
        router.add_api_route(path, self.take, methods=["POST"], response_class=HTMLResponse)
        return router

    def show(self, public_id: str, token: str) -> HTMLResponse:
        """Ask; change nothing."""
        try:
            with self.database.transaction() as session:
                found = subscription_of(session, public_id, token)
        except NotFound as error:
            return _page("Unknown link", f"<p>{escape(str(error))}.</p>", 404)
        asked = ASK.format(workspace=escape(found.workspace_name), address=escape(_hidden(found.address)))
        return _page("Unsubscribe?", asked)

    def take(self, public_id: str, token: str) -> HTMLResponse:
        """Unsubscribe, whatever the body says: the button sends none, a mail program `List-Unsubscribe=One-Click`."""
        try:
            with self.database.transaction() as session:
                due = unsubscribe(session, public_id, token)
        except NotFound as error:
            return _page("Unknown link", f"<p>{escape(str(error))}.</p>", 404)
        wake(self.wakeups, due)
        return _page("You are unsubscribed", "<p>You will get no more of these emails.</p>")


def _page(title: str, body: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(PAGE.format(title=escape(title), body=body), status, HEADERS)


def _hidden(address: str) -> str:
    """Return the address as its owner knows it: whoever forwards the email does not show all of it."""
    user, _, domain = address.rpartition("@")
    return f"{user[:2]}…@{domain}"
