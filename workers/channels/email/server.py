"""Which SMTP server to use and how: CADENZA_SMTP_URL, read."""

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from engine.errors import InvalidInput

Security: TypeAlias = Literal["none", "starttls", "tls"]

#: RFC 5321, RFC 6409 and RFC 8314 section 7.3.
DEFAULT_PORTS: Final[dict[Security, int]] = {"none": 25, "starttls": 587, "tls": 465}

_TRUTHS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_FORM: Final = "write smtp://user:password@host:port, smtps://... or smtp://...?starttls=true"


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mail is handed over."""

    host: str
    port: int
    security: Security
    user: str | None = None
    password: str | None = field(default=None, repr=False)


def parse_smtp_url(url: str) -> SmtpServer:
    """Read an SMTP URL; what is special in a user name or password is percent-encoded.

    Raises:
        InvalidInput: it can't be used; the message tells why, and never repeats the URL, which has a password in it.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _invalid("the host or the port can't be read (percent-encode what is special in the password)") from None
    if not host:
        raise _invalid("the host is missing")
    if parts.path not in ("", "/") or parts.fragment:
        raise _invalid("nothing but ?starttls=true may follow the port (percent-encode what is special)")
    security = _security(parts)
    user, password = _credentials(parts)
    return SmtpServer(host, port or DEFAULT_PORTS[security], security, user, password)


def _security(parts: SplitResult) -> Security:
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    starttls = _TRUTHS.get(options.pop("starttls", "false").lower())
    if starttls is None:
        raise _invalid("starttls is true or false")
    if options:
        raise _invalid(f"{', '.join(sorted(options))} is unknown; there is only starttls")
    match parts.scheme:
        case "smtp":
            return "starttls" if starttls else "none"
        case "smtps" if not starttls:
            return "tls"
        case "smtps":
            raise _invalid("smtps:// is encrypted from the start: leave starttls out, or use smtp://")
        case _:
            raise _invalid("the scheme is neither smtp nor smtps")


def _credentials(parts: SplitResult) -> tuple[str | None, str | None]:
    if parts.username is None:
        return None, None
    user, password = unquote(parts.username), unquote(parts.password or "")
    if not user or not password:
        raise _invalid("the user name or the password is missing")
    if not (user.isascii() and password.isascii()):
        raise _invalid("user name and password must be ASCII, since smtplib sends nothing else")
    return user, password


def _invalid(problem: str) -> InvalidInput:
    return InvalidInput(f"CADENZA_SMTP_URL: {problem}; {_FORM}")
