"""How a client introduces itself to an SMTP server and logs in: smtplib's way, without its blocking calls."""

import binascii
import hmac
import re
import ssl
from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import Final

from workers.channels.email.link import Link
from workers.channels.email.replies import Refused, Reply, read_reply
from workers.channels.email.server import SmtpServer
from workers.channels.wire import Broken

#: The best method first.
METHODS: Final = ("CRAM-MD5", "PLAIN", "LOGIN")

#: 503: it has been done already.
_LOGGED_IN: Final = (235, 503)
_CHALLENGE: Final = 334

#: A server that goes on asking is broken.
_MOST_CHALLENGES: Final = 5

_FEATURE: Final = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9\-]*) ?(?P<rest>.*)")
_OLD_AUTH: Final = re.compile(r"auth=(.*)", re.IGNORECASE)

#: Asks the server something.
Ask = Callable[[str], Awaitable[Reply]]


async def log_in(link: Link, server: SmtpServer, context: ssl.SSLContext, own_name: str) -> dict[str, str]:
    """Read the greeting, encrypt and authenticate as the server is configured; return what it can do, in lower case.

    Raises:
        Refused: the server does not want us; its reply tells why.
        OSError: it went away, or can't do what is asked.
        ValueError: what it says can't be understood.
    """
    if server.security == "tls":
        await link.encrypt(context, server.host)
    greeting = await read_reply(link, "connect")
    if greeting.code != 220:
        raise Refused(greeting)

    async def ask(command: str) -> Reply:
        link.write(f"{command}\r\n".encode("ascii"))
        return await read_reply(link, "connect")

    name = own_name or _address_literal(link.own_address)
    features = await _introduce(ask, name)
    if server.security == "starttls":
        if "starttls" not in features:
            raise Broken("STARTTLS extension not supported by server.")
        reply = await ask("STARTTLS")
        if reply.code != 220:
            raise Refused(reply)
        await link.encrypt(context, server.host)
        features = await _introduce(ask, name)
    if server.user is not None and server.password is not None:
        await _authenticate(ask, features, server.user, server.password)
    return features


def _address_literal(address: str) -> str:
    """Return what stands for a name where there is none (RFC 5321 section 4.1.3)."""
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


async def _introduce(ask: Ask, name: str) -> dict[str, str]:
    reply = await ask(f"EHLO {name}")
    if 200 <= reply.code < 300:
        return _features(reply.text)
    reply = await ask(f"HELO {name}")
    if not 200 <= reply.code < 300:
        raise Refused(reply)
    return {}


def _features(text: str) -> dict[str, str]:
    """Return the extensions that a server offers (RFC 5321 section 4.1.1.1)."""
    features: dict[str, str] = {}
    for line in text.split("\n")[1:]:
        if (old := _OLD_AUTH.match(line)) is not None:
            features["auth"] = f"{features.get('auth', '')} {old[1]}".strip()
        elif (found := _FEATURE.match(line)) is not None:
            name = found["name"].lower()
            rest = found["rest"].strip()
            features[name] = f"{features.get('auth', '')} {rest}".strip() if name == "auth" else rest
    return features


async def _authenticate(ask: Ask, features: dict[str, str], user: str, password: str) -> None:
    """Try the methods that the server offers, until one gets us in."""
    if "auth" not in features:
        raise Broken("SMTP AUTH extension not supported by server.")
    offered = features["auth"].upper().split()
    methods = [method for method in METHODS if method in offered]
    if not methods:
        raise Broken("No suitable authentication method found.")
    reply = await _try(ask, methods[0], user, password)
    for method in methods[1:]:
        if reply.code in _LOGGED_IN:
            return
        reply = await _try(ask, method, user, password)
    if reply.code not in _LOGGED_IN:
        raise Refused(reply)


async def _try(ask: Ask, method: str, user: str, password: str) -> Reply:
    """Give the credentials by one method (RFC 4954 section 4)."""
    answers = 0
    if method == "PLAIN":
        reply = await ask(f"AUTH PLAIN {_base64(f'{chr(0)}{user}{chr(0)}{password}')}")
    elif method == "LOGIN":
        reply = await ask(f"AUTH LOGIN {_base64(user)}")
    else:
        reply = await ask("AUTH CRAM-MD5")
    while reply.code == _CHALLENGE:
        answers += 1
        if answers > _MOST_CHALLENGES:
            raise Broken("Server AUTH mechanism infinite loop. Last response: " + repr(reply))
        reply = await ask(_base64(_response(method, reply.text, user, password)))
    return reply


def _response(method: str, challenge: str, user: str, password: str) -> str:
    if method == "CRAM-MD5":
        # The digest is the protocol's (RFC 2195).
        return f"{user} {hmac.new(password.encode(), binascii.a2b_base64(challenge), 'md5').hexdigest()}"
    return f"\0{user}\0{password}" if method == "PLAIN" else password


def _base64(text: str) -> str:
    return b64encode(text.encode("ascii")).decode()
